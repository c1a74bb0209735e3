"""Which layers of ours stand for which of Keras', by name alone."""

from typing import Any

import keras

# Classes of `keras.layers`; ours have `Masked` before the name, and take the
# same config.
DROP_INS = (
    "Add",
    "AdditiveAttention",
    "Attention",
    "AveragePooling1D",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Cropping1D",
    "DepthwiseConv1D",
    "GlobalAveragePooling1D",
    "GlobalMaxPooling1D",
    "GroupNormalization",
    "GroupQueryAttention",
    "MaxPooling1D",
    "MultiHeadAttention",
    "Multiply",
    "SeparableConv1D",
    "UpSampling1D",
)
# Those that are right once `KeepMask` is around them.
WRAPPED = (
    "Average",
    "Bidirectional",
    "EinsumDense",
    "GRU",
    "LSTM",
    "Maximum",
    "Minimum",
    "RMSNormalization",
    "RNN",
    "SimpleRNN",
    "Subtract",
)
# Those that let padding in and have no counterpart with the same numbers.
WRONG = {
    "AdaptiveAveragePooling1D": "its windows depend on the padded length",
    "AdaptiveMaxPooling1D": "its windows depend on the padded length",
    "Dot": "it may sum over padding; use `MaskedAttention`",
    "Flatten": "padding becomes features; pool the steps instead",
    "LayerNormalization": "its statistics go over the steps; use "
    "`MaskedGroupNormalization(1)`",
    "UnitNormalization": "its norm goes over the steps",
    "ZeroPadding1D": "its zeros count as steps; those of `MaskedZeroPadding1D` "
    "are padding",
}


def name_in_keras(layer: Any) -> str:
    """What `keras.layers` calls the layer's class; "" if it is not Keras'.

    Not always `__name__`: `GroupQueryAttention` is `GroupedQueryAttention`,
    and Keras 3.16 has both names.
    """
    kind = type(layer)
    names = (*DROP_INS, kind.__name__)
    return next(
        (n for n in names if getattr(keras.layers, n, None) is kind), ""
    )
