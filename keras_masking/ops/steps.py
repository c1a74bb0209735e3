"""Selection of single steps, and splits along the steps."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._arguments import is_whole
from keras_masking._backends import is_torch_tensor
from keras_masking._backends import new_axis
from keras_masking._backends import torch_traces
from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.masks import first_of_features
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.reading import expanded
from keras_masking.ops.reading import read


def first_step(
    x: Tensor,
    mask: Tensor | None = None,
    axis: int = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """The first real step of each row.

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`, `axis` among them.
            Defaults to all real.
        axis: The axis of the steps. Defaults to 1.
        keepdims: Whether to keep it with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype of `x`, without `axis` (or with size 1 there).

    Example:

    >>> x = np.array([[7.0, 8.0, 9.0]], "float32")
    >>> y = keras_masking.ops.first_step(x, np.array([[0, 1, 1]]))
    >>> keras.ops.convert_to_numpy(y)
    array([8.], dtype=float32)
    """
    x, mask, axis = _read("first_step", x, mask, axis)
    return unchecked_first_step(x, mask, axis, keepdims, empty_value)


def last_step(
    x: Tensor,
    mask: Tensor | None = None,
    axis: int = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """The last real step of each row, even after holes.

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`, `axis` among them.
            Defaults to all real.
        axis: The axis of the steps. Defaults to 1.
        keepdims: Whether to keep it with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype of `x`, without `axis` (or with size 1 there).

    Example:

    >>> x = np.array([[7.0, 8.0, 9.0]], "float32")
    >>> y = keras_masking.ops.last_step(x, np.array([[1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y)
    array([8.], dtype=float32)
    """
    x, mask, axis = _read("last_step", x, mask, axis)
    return unchecked_last_step(x, mask, axis, keepdims, empty_value)


def _read(
    caller: str, x: Tensor, mask: Tensor | None, axis: Any
) -> tuple[Tensor, Tensor | None, int]:
    axis = _one_axis(caller, axis)
    x, mask = read(caller, x, mask, (axis,))
    axis = axis % len(x.shape)
    if mask is not None and axis >= len(mask.shape) and 0 not in x.shape:
        raise ValueError(
            describe(
                f"`{caller}`",
                "`axis` must be an axis of the mask.",
                "Pass the axis of the steps.",
                axis=axis,
                **{"mask.shape": tuple(mask.shape)},
            )
        )
    return x, mask, axis


def unchecked_first_step(
    x: Tensor,
    mask: Tensor | None,
    axis: int = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    def find(mask: Tensor) -> Tensor:
        return ops.argmax(ops.cast(mask, "int32"), axis=-1)

    return _select(x, mask, 0, find, axis, keepdims, empty_value)


def unchecked_last_step(
    x: Tensor,
    mask: Tensor | None,
    axis: int = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    def find(mask: Tensor) -> Tensor:
        # The first column where the count reaches the total.
        counts = ops.cumsum(ops.cast(mask, "int32"), axis=-1)
        return ops.argmax(counts, axis=-1)

    return _select(x, mask, -1, find, axis, keepdims, empty_value)


def _select(
    x: Tensor,
    mask: Tensor | None,
    column: int,
    find: Callable[[Tensor], Tensor],
    axis: int,
    keepdims: bool,
    empty_value: float,
) -> Tensor:
    """The step that `find` selects; `column` if there is no mask."""
    if 0 in x.shape:  # nothing to gather: every row is empty
        nothing = ops.sum(x, axis=axis, keepdims=keepdims)
        return ops.full_like(ops.cast(nothing, x.dtype), empty_value)
    if mask is None:
        step = ops.take(x, [column], axis=axis)
        return step if keepdims else ops.squeeze(step, axis=axis)
    given = len(mask.shape)
    if given == 2 and axis == 1 and is_torch_tensor(x) and not torch_traces():
        # Few operations: that is half the time.
        step = x[ops.arange(x.shape[0]), find(mask)]
        real = expanded(has_real_step(mask, -1), len(step.shape))
        step = ops.where(real, step, scalar(empty_value, step))
        return new_axis(step, 1) if keepdims else step
    mask, moved = (ops.moveaxis(y, axis, given - 1) for y in (mask, x))
    sizes = ops.shape(moved)
    rows, rest = sizes[: given - 1], sizes[given:]
    step = gather_steps(moved, ops.reshape(find(mask), (-1, 1)), given)
    real = ops.reshape(has_real_step(mask, -1), (-1, *[1] * len(rest)))
    step = ops.where(real, step, scalar(empty_value, step))
    step = ops.reshape(step, ((-1, *rows[1:]) if rows else ()) + rest)
    return ops.expand_dims(step, axis) if keepdims else step


def gather_steps(x: Tensor, index: Tensor, ndim: int = 2) -> Tensor:
    """`x[row, index[row]]` for each row, concatenated.

    The first `ndim` axes of `x` are its rows and steps; `index` is `(rows, any
    number)`. Rows and steps are flattened to one axis for a single gather,
    which is many times faster on TensorFlow than `take_along_axis`. The formula
    for the start of a row holds for unknown sizes too.
    """
    ones = ops.ones_like(first_of_features(x, ndim), dtype="int32")
    steps = ops.reshape(ops.sum(ones, axis=-1), (-1, 1))
    first = ops.cumsum(steps, axis=0) - steps
    # A graph cannot check the sizes of a mask: at least stay in the row.
    inside = ops.minimum(ops.cast(index, "int32"), steps - 1)
    rest = ops.shape(x)[ndim:]
    flat = ops.reshape(first + inside, (-1,))
    return ops.take(ops.reshape(x, (-1, *rest)), flat, axis=0)


def _one_axis(caller: str, axis: Any) -> int:
    if isinstance(axis, (int, np.integer)):
        return int(axis)
    raise ValueError(
        describe(
            f"`{caller}`",
            "`axis` must be one integer.",
            "Pass the axis of the steps.",
            axis=repr(axis),
        )
    )


@export
class SplitSteps(keras.Operation):
    """Splits a tensor along its steps, like `numpy.array_split`.

    An `Operation`, because a Functional model records what `compute_mask` does,
    and `keras.ops` has no split into pieces whose length is unknown until run
    time.

    Args:
        indices_or_sections: Number of pieces, or the steps at which to split.
        name: Name of the operation.
    """

    def __init__(
        self,
        indices_or_sections: int | list[int],
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.indices_or_sections = indices_or_sections

    def _bounds(self, steps: int) -> list[tuple[int | None, int | None]]:
        if isinstance(self.indices_or_sections, int):
            sections = self.indices_or_sections
            # Of T steps in n pieces, piece j has (T + n - 1 - j) // n: the
            # first T % n have one more. T may be a tensor.
            ends = [sections - 1 - j for j in range(sections)]
            cuts: list[int | None] = [
                sum((steps + end) // sections for end in ends[:i])
                for i in range(sections)
            ]
            cuts.append(steps)
        else:
            cuts = [0, *self.indices_or_sections, None]
        return list(pairwise(cuts))

    def call(self, x: Tensor) -> list[Tensor]:
        steps = ops.shape(x)[1]
        return [x[:, start:stop] for start, stop in self._bounds(steps)]

    def compute_output_shape(self, shape: Shape) -> list[Shape]:
        batch, steps, *rest = shape
        if steps is None:
            pieces = self.indices_or_sections
            number = pieces if isinstance(pieces, int) else len(pieces) + 1
            return [(batch, None, *rest)] * number
        lengths = [
            len(range(steps)[start:stop]) for start, stop in self._bounds(steps)
        ]
        return [(batch, length, *rest) for length in lengths]

    def compute_output_spec(self, x: keras.KerasTensor) -> list[Tensor]:
        return [
            keras.KerasTensor(shape, dtype=x.dtype)
            for shape in self.compute_output_shape(x.shape)
        ]


def split_steps(
    x: Tensor, indices_or_sections: int | list[int]
) -> list[Tensor]:
    """Splits `x` along axis 1, like `numpy.array_split`.

    Args:
        x: Tensor, `(batch, steps, ...)`; the number of steps may be unknown.
        indices_or_sections: Number of pieces, of which the first ones have one
            more step if the steps do not divide evenly; or the steps at which
            to split.

    Returns:
        List of tensors.

    Example:

    >>> x = np.array([[1, 2, 3, 4, 5]])
    >>> a, b = keras_masking.ops.split_steps(x, 2)
    >>> keras.ops.convert_to_numpy(b).tolist()
    [[4, 5]]
    """
    x, _ = read("split_steps", x, None)
    where = check_pieces("`split_steps`", indices_or_sections)
    pieces: list[Tensor] = SplitSteps(where)(x)
    return pieces


def check_pieces(caller: str, value: Any) -> int | list[int]:
    """Where to split: a positive number of pieces, or increasing steps."""
    if is_whole(value) and value > 0:
        return int(value)
    if isinstance(value, (list, tuple, np.ndarray)) and len(value):
        cuts = list(value)
        if all(is_whole(cut) for cut in cuts):
            front = sorted({cut for cut in cuts if cut >= 0})
            back = sorted({cut for cut in cuts if cut < 0})
            if cuts == front + back:
                return [int(cut) for cut in cuts]
    raise ValueError(
        describe(
            caller,
            "`indices_or_sections` must be a positive number of pieces or "
            "a list of increasing steps.",
            "Pass 2 for two halves, or [3] to split before step 3.",
            indices_or_sections=repr(value),
        )
    )
