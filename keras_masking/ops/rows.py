"""Reductions on PyTorch and a CPU that read only the real steps of each row.

A loop over rows takes some microseconds for each of them. For large rows that
is less than one pass over their padding, which is never read: a NaN there needs
no repair, in the value or in any derivative. PyTorch derives the loops, except
that of a sum, whose gradient is a selection.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_masking._backends import TORCH
from keras_masking._backends import torch_join
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.dtypes import zero_unless


def sum_of_rows(x: Tensor, mask: Tensor) -> Tensor:
    """Sums over the real steps, with the axis of the steps."""
    return _Sums.apply(x, mask)


def squares_of_rows(x: Tensor, mask: Tensor, mean: Tensor) -> Tensor:
    """Sums of the squared distances from `mean`, which keeps the axes."""
    # A mean over the rows too is expanded to each of them.
    means = ops.broadcast_to(mean, (x.shape[0], *mean.shape[1:]))
    return _each(lambda row, m: (row - m).square().sum(0, True), mask, x, means)


def extreme_of_rows(
    x: Tensor, mask: Tensor, largest: bool, worst: Tensor
) -> Tensor:
    """Maxima or minima over the real steps; `worst` in empty rows."""

    def reduce(row: Any) -> Any:
        if not len(row):
            return worst.expand(1, *row.shape[1:])
        return row.amax(0, True) if largest else row.amin(0, True)

    return _each(reduce, mask, x)


def _each(
    reduce: Callable[..., Any], mask: Tensor, x: Tensor, *others: Tensor
) -> Tensor:
    """`reduce` of the real steps of each row of `x` and its row of others."""
    # Not `x[i]`, whose gradient is as large as `x` for each row.
    rows = zip(_real_steps(mask), *(y.unbind() for y in (x, *others)))
    parts = [reduce(row[real], *rest) for real, row, *rest in rows]
    return torch_join(parts).unsqueeze(1)


def softmax_of_rows(x: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the real steps, 0 at padding."""
    parts, zeros = [], ops.zeros_like(x[0])
    for row, real in zip(x.unbind(), _real_steps(mask)):
        y = row[real].softmax(0)
        if isinstance(real, slice):
            parts += [zeros[: real.start], y, zeros[real.stop :]]
        else:
            parts.append(zeros.index_put((real,), y))
    return torch_join(parts).reshape(x.shape)


def _real_steps(mask: Tensor) -> list[slice | Tensor]:
    """Where the real steps of each row are: a slice, or booleans if apart."""
    known = ops.convert_to_numpy(mask).reshape(mask.shape[:2])
    counts, first = known.sum(1), known.argmax(1)
    last = known.shape[1] - known[:, ::-1].argmax(1)
    ends = np.where(counts, last, first)
    flat = mask.reshape(mask.shape[:2])
    return [
        slice(start, end) if end - start == count else flat[row]
        for row, (start, end, count) in enumerate(
            zip(first.tolist(), ends.tolist(), counts.tolist())
        )
    ]


if TORCH is not None:

    class _Sums(TORCH.autograd.Function):
        """Sums with a gradient of one pass; in `vmap` there are none.

        The gradient of the loop itself writes each row three times.
        """

        @staticmethod
        def forward(x: Any, mask: Any) -> Any:
            return _each(lambda row: upcast_half(row).sum(0, True), mask, x)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            x, mask = inputs
            ctx.shape, ctx.dtype = x.shape, x.dtype
            ctx.save_for_backward(mask)
            ctx.save_for_forward(mask)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            (mask,) = ctx.saved_tensors
            each = gradient.to(ctx.dtype).expand(ctx.shape)
            return zero_unless(mask, each), None

        @staticmethod
        def jvp(ctx: Any, tangent: Any, _: Any) -> Any:
            (mask,) = ctx.saved_tensors
            return _Sums.apply(tangent, mask)
