"""Our counterpart for each Keras layer, and layers without one."""

from typing import Any

import keras

from keras_masking import layers
from keras_masking.counterparts import DROP_INS
from keras_masking.counterparts import WRAPPED
from keras_masking.counterparts import WRONG
from keras_masking.counterparts import name_in_keras

# The operations of `x + y` and `x * y` in a graph.
OPERATIONS = {"Add": layers.MaskedAdd, "Multiply": layers.MaskedMultiply}


def normalized_axes(layer: Any, rank: int) -> list[int]:
    """The axes given by a layer's `axis`."""
    axis = getattr(layer, "axis", None)
    axes = [axis] if isinstance(axis, int) else axis or []
    return sorted(a % rank for a in axes)


def counterpart(layer: Any, rank: int) -> Any:
    """Our counterpart of `layer` for inputs of that rank, or None.

    Raises:
            ValueError, TypeError: If our layer rejects the configuration.
    """
    name = name_in_keras(layer)
    if not name:
        return None
    config = config_of(layer)
    axes = normalized_axes(layer, rank)
    if name == "Softmax" and axes == [rank - 1]:
        return layers.MyActivation("softmax", **base_config(layer))
    if name == "Softmax" and axes == [1]:
        return layers.TemporalSoftmax(**base_config(layer))
    if name in DROP_INS:
        return getattr(layers, f"Masked{name}").from_config(config)
    if name in WRAPPED:
        inside = type(layer).from_config(config)
        return layers.KeepMask(inside, name=layer.name)
    return None


def operation_counterpart(operation: Any, given: list[Any]) -> Any:
    """A layer for `x + y` or `x * y` of sequences of equal shape, else None."""
    name = type(operation).__name__
    ranks, dtypes = {len(x.shape) for x in given}, {x.dtype for x in given}
    alike = len(given) == 2 and len(ranks) == 1 == len(dtypes)
    if name not in OPERATIONS or not alike or min(ranks) < 3:
        return None
    return OPERATIONS[name](name=operation.name, dtype=dtypes.pop())


def breach(layer: Any, rank: int) -> str:
    """Why a Keras layer lets padding in, for inputs of that rank, or ''."""
    name = name_in_keras(layer)
    if not name or normalized_axes(layer, rank) == [rank - 1]:
        return ""
    return WRONG.get(name, "")


def has_learned_statistics(layer: Any) -> bool:
    """Whether it normalizes by batch statistics and has been trained."""
    if not isinstance(layer, keras.layers.BatchNormalization):
        return False
    return bool(keras.ops.convert_to_numpy(layer.moving_mean).any())


def config_of(layer: Any) -> dict[str, Any]:
    """The config of a layer, including what Keras 3.12 omits."""
    config: dict[str, Any] = layer.get_config()
    if name_in_keras(layer) == "Conv1DTranspose":
        config["output_padding"] = layer.output_padding
    return config


def base_config(layer: Any) -> dict[str, Any]:
    """The part of the config that all layers have."""
    config = layer.get_config()
    return {key: config[key] for key in ("name", "trainable", "dtype")}
