"""Operations that fold segments into rows and back in Functional models."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._keras import get_mask
from keras_masking._types import Tensor
from keras_masking.ops.masks import unchecked_full_mask


@export
class FoldSegments(keras.Operation):
    """`(batch, segments, ...)` to `(batch * segments, ...)`.

    An `Operation`, like `UnfoldSegments`: a Functional model records what
    `compute_mask` does, and `keras.ops.reshape` needs all sizes but one.
    """

    def call(self, x: Tensor) -> Tensor:
        return ops.reshape(x, folded(ops.shape(x)))

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(folded(x.shape), dtype=x.dtype)


@export
class UnfoldSegments(keras.Operation):
    """`(batch * segments, ...)` to the first two axes of another tensor."""

    def call(self, y: Tensor, x: Tensor) -> Tensor:
        return ops.reshape(y, (*ops.shape(x)[:2], *ops.shape(y)[1:]))

    def compute_output_spec(
        self, y: keras.KerasTensor, x: keras.KerasTensor
    ) -> keras.KerasTensor:
        return keras.KerasTensor((*x.shape[:2], *y.shape[1:]), dtype=y.dtype)


def folded(shape: Any) -> Any:
    """The shape with segments folded into rows."""
    rows = None if None in shape[:2] else shape[0] * shape[1]
    return (rows, *shape[2:])


@export
class CarriedMask(keras.Operation):
    """The mask that a tensor carries; the graph knows only its rank.

    For outputs of a layer whose masks are known only at run time, for example a
    model.
    """

    def __init__(self, ndim: int, name: str | None = None) -> None:
        super().__init__(name=name)
        self.ndim = ndim

    def call(self, y: Tensor) -> Tensor:
        mask = get_mask(y)
        return unchecked_full_mask(y, self.ndim) if mask is None else mask

    def compute_output_spec(self, y: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(y.shape[: self.ndim], dtype="bool")

    def get_config(self) -> dict[str, Any]:
        return {"ndim": self.ndim, "name": self.name}


class Rehearsal(keras.Operation):
    """A call with symbolic tensors, to find which outputs will carry a mask."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.ndims: list[int | None] = []

    def call(self, *args: Any) -> Any:
        outputs = self.function(*args)
        masks = [get_mask(y) for y in keras.tree.flatten(outputs)]
        self.ndims = [None if m is None else len(m.shape) for m in masks]
        return outputs
