"""Reductions over each sequence of a packed row.

The rules of `reductions` apply to each run of real steps: no value outside of
it, even NaN, affects its result or gradient.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._backends import at_least_one
from keras_masking._backends import new_axis
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import as_float
from keras_masking.ops.dtypes import cast_to
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.reading import expanded
from keras_masking.ops.runs import count_runs
from keras_masking.ops.runs import positions_in_runs
from keras_masking.ops.runs import run_ends
from keras_masking.ops.runs import run_starts
from keras_masking.ops.runs import unchecked_segment_ids
from keras_masking.ops.steps import gather_steps

# Dtypes that PyTorch reduces by ids without a loss.
NARROW = ("float32", "float16", "bfloat16")


class Segments:
    """The runs of a mask, and reductions over each of them.

    Results are `(batch, slots, ...)`: slot k holds the k-th run of the row, and
    slot 0 nothing of use.

    Args:
        mask: Checked mask, `(batch, steps)`.
        number: How many runs a row has at most. Defaults to as many as fit.
    """

    def __init__(self, mask: Tensor, number: int | None = None) -> None:
        self.mask = mask
        self.ids = unchecked_segment_ids(mask)
        if number is None:
            self.slots: Any = ops.shape(mask)[1] // 2 + 2
        else:
            self.slots = number + 1
            self.rows = count_runs(mask)
        rows = ops.cumsum(ops.ones_like(mask[:, :1], dtype="int32"), axis=0) - 1
        slot = ops.where(self.ids < self.slots, self.ids, 0)
        self.flat = ops.reshape(rows * self.slots + slot, (-1,))

    def sum(self, x: Tensor) -> Tensor:
        """Sum of each run; half precision is summed in float32."""
        if not is_float(x):  # small integers overflow
            x = ops.cast(
                x, ops.sum(keras.KerasTensor((1,), dtype_name(x))).dtype
            )
        x = fill_padding(upcast_half(x), self.mask)
        return self._reduce(ops.segment_sum, ops.sum, x, 0)

    def count(self, like: Tensor) -> Tensor:
        """Steps of each run, in the dtype and rank of `like`; at least 1."""
        count = self.sum(ops.cast(self.mask, dtype_name(like)))
        return expanded(at_least_one(count), len(like.shape))

    def mean(self, x: Tensor) -> Tensor:
        """Mean of each run, in float32 at least."""
        total = self.sum(as_float(x))
        return total / self.count(total)

    def max(self, x: Tensor) -> Tensor:
        """Maximum of each run."""
        if dtype_name(x) == "bool":
            x = ops.cast(x, "uint8")
        lowest = -np.inf if is_float(x) else np.iinfo(dtype_name(x)).min
        x = fill_padding(x, self.mask)
        return self._reduce(ops.segment_max, ops.max, x, lowest)

    def min(self, x: Tensor) -> Tensor:
        """Minimum of each run."""
        if is_float(x):
            return -self.max(-x)
        # Reverses the order of integers, signed or not.
        if dtype_name(x) == "bool":
            x = ops.cast(x, "uint8")
        return ops.bitwise_not(self.max(ops.bitwise_not(x)))

    def step(self, x: Tensor, bounds: Tensor) -> Tensor:
        """The step of each run that is marked in `bounds`."""
        slots = new_axis(ops.arange(self.slots, dtype="int32"), 1)
        marked = new_axis(ops.where(bounds, self.ids, -1), 1) == slots
        index = ops.argmax(ops.cast(marked, "int32"), axis=-1)
        y = gather_steps(x, index)
        return ops.reshape(y, (-1, self.slots, *x.shape[2:]))

    def pooled(self, y: Tensor, empty_value: float, dtype: str) -> Tensor:
        """A result as that of a pooling, `(batch, number, ...)`.

        `empty_value` in slots without a run. In a row with more runs NaN, if
        the result is of floats.
        """
        y = y[:, 1:]
        real = real_segments(self.rows, self.slots - 1)
        real = expanded(real, len(y.shape))
        y = ops.where(real, y, scalar(empty_value, y))
        if is_float(y):
            many = expanded(self.rows >= self.slots, len(y.shape))
            y = ops.where(many, scalar(np.nan, y), y)
        return cast_to(y, dtype)

    def spread(self, y: Tensor) -> Tensor:
        """The result of each step's run, `(batch, steps, ...)`."""
        rest = tuple(y.shape[2:])
        each = ops.take(ops.reshape(y, (-1, *rest)), self.flat, axis=0)
        return ops.reshape(each, (*ops.shape(self.ids), *rest))

    def _reduce(
        self,
        by_ids: Callable[..., Tensor],
        along: Callable[..., Tensor],
        x: Tensor,
        nothing: float,
    ) -> Tensor:
        dtype, rest = dtype_name(x), tuple(x.shape[2:])
        rows = ops.shape(self.ids)[0]
        if 0 in x.shape:
            return ops.zeros((rows, self.slots, *rest), dtype=dtype)
        if keras.backend.backend() == "torch" and dtype not in NARROW:
            # There Keras reduces by ids in float32.
            slots = new_axis(ops.arange(self.slots, dtype="int32"), 1)
            own = expanded(new_axis(self.ids, 1) == slots, len(x.shape) + 1)
            y = along(
                ops.where(own, new_axis(x, 1), scalar(nothing, x)), axis=2
            )
            return cast_to(y, dtype)
        flat = ops.reshape(x, (-1, *rest))
        y = by_ids(flat, self.flat, num_segments=rows * self.slots)
        return ops.reshape(cast_to(y, dtype), (-1, self.slots, *rest))


def segment_sum(x: Tensor, runs: Segments) -> Tensor:
    """Sum of each run."""
    return runs.sum(x)


def segment_mean(x: Tensor, runs: Segments) -> Tensor:
    """Mean of each run."""
    return runs.mean(x)


def segment_max(x: Tensor, runs: Segments) -> Tensor:
    """Maximum of each run."""
    return runs.max(x)


def segment_min(x: Tensor, runs: Segments) -> Tensor:
    """Minimum of each run."""
    return runs.min(x)


def segment_sqrtn(x: Tensor, runs: Segments) -> Tensor:
    """Sum of each run, divided by the square root of its steps."""
    total = runs.sum(as_float(x))
    return total / ops.sqrt(runs.count(total))


def segment_position_mean(x: Tensor, runs: Segments) -> Tensor:
    """Mean of each run, in which its k-th step has weight k."""
    x = upcast_half(as_float(x))
    place = ops.cast(positions_in_runs(runs.mask) + 1, dtype_name(x))
    share = place / runs.spread(at_least_one(runs.sum(place)))
    x = fill_padding(x, runs.mask)
    return runs.sum(x * expanded(share, len(x.shape)))


def segment_mean_and_std(x: Tensor, runs: Segments) -> Tensor:
    """Mean and standard deviation of each run, side by side."""
    x = upcast_half(as_float(x))
    mean = runs.mean(x)
    apart = fill_padding(x - runs.spread(mean), runs.mask)
    variance = runs.mean(ops.square(apart))
    some = variance > 0
    root = ops.sqrt(ops.where(some, variance, scalar(1, variance)))
    return ops.concatenate([mean, ops.where(some, root, variance)], axis=-1)


def segment_first(x: Tensor, runs: Segments) -> Tensor:
    """First step of each run."""
    return runs.step(x, run_starts(runs.mask))


def segment_last(x: Tensor, runs: Segments) -> Tensor:
    """Last step of each run."""
    return runs.step(x, run_ends(runs.mask))


def segment_softmax(x: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the steps of each run, and 0 at padding."""
    x, runs = as_float(x), Segments(mask)
    if 0 in x.shape:
        return ops.zeros_like(x)
    wide = fill_padding(upcast_half(x), mask)
    largest = ops.stop_gradient(runs.spread(runs.max(wide)))
    # Select twice: the exponential has a derivative too.
    weights = ops.exp(fill_padding(wide - largest, mask))
    weights = fill_padding(weights, mask)
    total = runs.spread(runs.sum(weights))
    return cast_to(weights / fill_padding(total, mask, 1), dtype_name(x))


def real_segments(count: Tensor, number: int) -> Tensor:
    """Which of `number` slots have a run, for the runs of each row."""
    which = ops.arange(number, dtype="int32")
    return ops.less(which, ops.expand_dims(count, 1))
