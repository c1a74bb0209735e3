"""Which layer of ours stands for which of Keras', and what has none."""

from typing import Any

import keras

from keras_masking import layers

# Classes of `keras.layers` and ours in their place, with the same config.
DROP_INS = {
    name: getattr(layers, f"Masked{name}")
    for name in (
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
}
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
# What `x + y` and `x * y` are in a graph.
OPERATIONS = {"Add": layers.MaskedAdd, "Multiply": layers.MaskedMultiply}
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


def is_of_keras(layer: Any) -> bool:
    """Whether it is Keras' own, not somebody's of the same name."""
    name = type(layer).__name__
    return type(layer) is getattr(keras.layers, name, None)


def normalized_axes(layer: Any, rank: int) -> list[int]:
    """The axes that a layer is told by `axis`."""
    axis = getattr(layer, "axis", None)
    axes = [axis] if isinstance(axis, int) else axis or []
    return sorted(a % rank for a in axes)


def counterpart(layer: Any, rank: int) -> Any:
    """A layer of ours like `layer`, for inputs of that rank; None without one.

    Raises:
        ValueError, TypeError: If ours refuses the configuration.
    """
    if not is_of_keras(layer):
        return None
    name, config = type(layer).__name__, layer.get_config()
    axes = normalized_axes(layer, rank)
    if name == "Softmax" and axes == [rank - 1]:
        return layers.MyActivation("softmax", **base_config(layer))
    if name == "Softmax" and axes == [1]:
        return layers.TemporalSoftmax(**base_config(layer))
    if name in DROP_INS:
        return DROP_INS[name].from_config(config)
    if name in WRAPPED:
        inside = type(layer).from_config(config)
        return layers.KeepMask(inside, name=layer.name)
    return None


def operation_counterpart(operation: Any, given: list[Any]) -> Any:
    """A layer for `x + y` and `x * y` of sequences alike, else None."""
    name = type(operation).__name__
    ranks, dtypes = {len(x.shape) for x in given}, {x.dtype for x in given}
    alike = len(given) == 2 and len(ranks) == 1 == len(dtypes)
    if name not in OPERATIONS or not alike or min(ranks) < 3:
        return None
    return OPERATIONS[name](name=operation.name, dtype=dtypes.pop())


def breach(layer: Any, rank: int) -> str:
    """Why a layer of Keras lets padding in, for inputs of that rank; or ''."""
    name = type(layer).__name__
    if not is_of_keras(layer) or normalized_axes(layer, rank) == [rank - 1]:
        return ""
    return WRONG.get(name, "")


def base_config(layer: Any) -> dict[str, Any]:
    """The part of a config that every layer has."""
    config = layer.get_config()
    return {key: config[key] for key in ("name", "trainable", "dtype")}
