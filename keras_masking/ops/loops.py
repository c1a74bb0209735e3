"""Loops along the steps."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_masking._types import Tensor


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]],
    start: Any,
    given: tuple[Tensor, ...],
    reverse: bool = False,
) -> tuple[Any, Any]:
    """`keras.ops.scan` over several tensors whose steps come first.

    On TensorFlow that of Keras 3.15 fails if their number is not known before
    the graph runs; an index is one tensor, with which it does not. There too,
    what a step gives has the dtypes and the structure of the state.
    """
    if given[0].shape[0] is not None:
        return ops.scan(step, start, given, reverse=reverse)

    def at(state: Any, index: Tensor) -> tuple[Any, Any]:
        return step(state, tuple(ops.take(x, index, axis=0) for x in given))

    index = ops.arange(ops.shape(given[0])[0])
    return ops.scan(at, start, index, reverse=reverse)
