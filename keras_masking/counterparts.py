"""Our counterparts of Keras layers, by name."""

from typing import Any

import keras

# Classes of `keras.layers`; ours have the prefix `Masked` and take the same
# config.
DROP_INS = (
    "Add",
    "AdditiveAttention",
    "Attention",
    "AveragePooling1D",
    "Bidirectional",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Cropping1D",
    "DepthwiseConv1D",
    "GRU",
    "GlobalAveragePooling1D",
    "GlobalMaxPooling1D",
    "GroupNormalization",
    "GroupQueryAttention",
    "LSTM",
    "MaxPooling1D",
    "MultiHeadAttention",
    "Multiply",
    "SeparableConv1D",
    "SimpleRNN",
    "UpSampling1D",
)
# Layers that are right inside `KeepMask`.
WRAPPED = (
    "Average",
    "EinsumDense",
    "Maximum",
    "Minimum",
    "RMSNormalization",
    "RNN",
    "Subtract",
)
# Layers that let padding in and have no counterpart with the same outputs.
WRONG = {
    "AdaptiveAveragePooling1D": "its windows depend on the padded length",
    "AdaptiveMaxPooling1D": "its windows depend on the padded length",
    "Dot": "it may sum over padding; use `MaskedAttention`",
    "Flatten": "padding becomes features; pool the steps instead",
    "LayerNormalization": "its statistics include the step axis; use "
    "`MaskedGroupNormalization(1)`",
    "UnitNormalization": "its norm includes the step axis",
    "ZeroPadding1D": "its zeros count as real; those of `MaskedZeroPadding1D` "
    "are padding",
}


def name_in_keras(layer: Any) -> str:
    """The name of a layer's class in `keras.layers`, or "" if not from Keras.

    Not always `__name__`: `GroupQueryAttention` is `GroupedQueryAttention`,
    and Keras 3.16 has both names.
    """
    kind = type(layer)
    names = (*DROP_INS, kind.__name__)
    return next(
        (n for n in names if getattr(keras.layers, n, None) is kind), ""
    )
