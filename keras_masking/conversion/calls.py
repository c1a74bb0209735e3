"""How layers are called, and with which arguments."""

import inspect
from typing import Any

import keras

from keras_masking import layers
from keras_masking._keras import is_functional


def is_model(layer: Any) -> bool:
    """Whether `layer` is a model whose graph is known."""
    if not isinstance(layer, keras.Model):
        return False
    sequential = isinstance(layer, keras.Sequential)
    own = type(layer).call is not keras.Sequential.call
    return (sequential and not own) or is_functional(layer)


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def tensors_in(arguments: Any) -> list[Any]:
    flat = keras.tree.flatten(arguments)
    return [x for x in flat if isinstance(x, keras.KerasTensor)]


def is_mask(name: str) -> bool:
    return name == "mask" or (
        name.endswith("_mask") and name != "attention_mask"
    )


def is_given_mask(layer: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a mask is among the arguments, by name or position."""
    named = dict(zip(parameters(layer.call), args)) | kwargs
    return any(is_mask(k) and v is not None for k, v in named.items())


def is_deaf(layer: Any) -> bool:
    """Whether the layer neither takes a mask nor passes one on."""
    if not isinstance(layer, keras.layers.Layer):
        return True
    inner = isinstance(layer, keras.layers.Lambda)
    called = layer.function if inner else layer.call
    takes_mask = any(is_mask(name) for name in parameters(called))
    return not takes_mask and not layer.supports_masking


def call_like(
    layer: Any, new: Any, args: Any, kwargs: dict[str, Any], given: list[Any]
) -> Any:
    """Calls `new` as `layer` was called."""
    if isinstance(new, keras.layers.Layer) and not isinstance(
        layer, keras.layers.Layer
    ):
        return new(given)  # for `x + y`
    if isinstance(new, layers.KeepMask):
        # Its further arguments are in another order than an RNN's.
        named = dict(zip(parameters(layer.call), args)) | kwargs
        first = parameters(layer.call)[0]
        args = (named.pop(first),)
        kwargs = {k: v for k, v in named.items() if v is not None}
    return new(*args, **kwargs)


def keeps_steps(layer: Any, node: Any) -> bool:
    """Whether a layer that makes vectors of ids makes one for each step."""
    if is_model(layer) or len(node.input_tensors) != 1:
        return False
    (x,) = node.input_tensors
    shape = (2, 7, *[3 if n is None else n for n in x.shape[2:]])
    try:
        made = layer.compute_output_spec(keras.KerasTensor(shape, x.dtype))
    except Exception:
        return False
    return tuple(made.shape[:2]) == (2, 7)


def stepping(node: Any) -> list[Any]:
    """The inputs of a call that give its output its steps."""
    layer, args = node.operation, node.arguments.args
    if not isinstance(layer, keras.layers.Layer) or is_model(layer):
        return list(node.input_tensors)
    first = tensors_in(args[:1] or list(node.arguments.kwargs.values())[:1])
    attends = hasattr(layer, "score_mode")  # its inputs are query and value
    return first[:1] if attends else first
