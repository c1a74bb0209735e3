"""Calls in training mode, and the weights that they may change."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_masking._keras import with_sublayers
from keras_masking.contract.harness.violations import NotApplicable

# Backends on which Keras has no gradients.
INFERENCE_ONLY = ("numpy", "openvino")


def needs_gradients() -> None:
    """Raises `NotApplicable` if the backend cannot train, or must not."""
    backend = keras.backend.backend()
    if backend in INFERENCE_ONLY:
        raise NotApplicable(f"Keras does not train on {backend}")
    # A tensor of PyTorch knows; some packages turn gradients off on import.
    product = keras.Variable(1.0) * 2.0
    if not getattr(product, "requires_grad", True):
        raise NotApplicable(
            "gradients are turned off; `torch.set_grad_enabled(True)` turns "
            "them on"
        )


def one_program() -> bool:
    """Whether to compile a step as a whole, as on JAX.

    Otherwise JAX compiles each operation separately, which takes longer.
    """
    return bool(keras.backend.backend() == "jax")


class Outer(keras.layers.Layer):
    """A layer in training, whose `call` is a function of its own."""

    def __init__(self, function: Callable[[], Any]) -> None:
        super().__init__()
        self.function = function

    def call(self, nothing: Any, training: bool | None = None) -> Any:
        self.function()
        return nothing


def with_training(
    apply: Callable[..., Any], layer: Any, training: bool
) -> Callable[..., Any]:
    """`apply`, so that `layer` and the layers inside it run in that mode.

    Keras passes the mode on from the layer around, as in `fit`, also to layers
    inside one whose `call` has no `training`.
    """
    if _has_training(layer):
        return partial(apply, training=training)
    if not takes_training(layer):
        return apply

    def inside(*args: Any, **kwargs: Any) -> Any:
        found: list[Any] = []
        outer = Outer(lambda: found.append(apply(*args, **kwargs)))
        outer(ops.zeros((1,)), training=training)
        return found[0]

    return inside


def takes_training(layer: Any) -> bool:
    """Whether `call` of the layer, or of a layer inside it, has `training`."""
    return any(_has_training(one) for one in with_sublayers(layer))


def _has_training(layer: Any) -> bool:
    return "training" in inspect.signature(layer.call).parameters


def untrained(layer: Any) -> list[Any]:
    """The variables that are not trained: statistics, seeds and states."""
    trained = {id(v) for v in layer.trainable_variables}
    return [v for v in layer.variables if id(v) not in trained]
