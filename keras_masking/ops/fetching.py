"""A maximum on TensorFlow, by fetching real steps instead of selecting.

TensorFlow selects number by number, with a mask that it broadcasts: that takes
more than twice as long as a copy. Steps are fetched as a whole, nearly as fast
as a copy. Padding is not read, whatever it holds.
"""

import math

import numpy as np
from keras import ops

from keras_masking._arguments import is_whole
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.dtypes import zero_unless
from keras_masking.ops.fast_paths import attained
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.steps import gather_steps

# Numbers of a step from which fetching is faster than selecting.
WIDE = 64


def has_wide_steps(x: Tensor) -> bool:
    """Whether a step of `x` is wide enough to be fetched."""
    sizes = x.shape[2:]
    return all(is_whole(n) for n in sizes) and math.prod(sizes) >= WIDE


def extreme_of_fetched(x: Tensor, weights: Tensor, largest: bool) -> Tensor:
    """Maximum or minimum over real steps, infinite in an empty row.

    Args:
        x: Floats `(batch, steps, ...)`.
        weights: A float mask with as many axes as `x`.
        largest: Whether to take the maximum.

    Returns:
        Tensor `(batch, 1, ...)`.
    """
    reduce = ops.max if largest else ops.min
    y = reduce(_fetched(x, weights), axis=1, keepdims=True)
    nothing = scalar(-np.inf if largest else np.inf, x)
    return ops.where(has_real_step(weights > 0, keepdims=True), y, nothing)


def _fetched(x: Tensor, weights: Tensor) -> Tensor:
    """`x` with the first real step of its row in place of padding."""
    rows, steps, *_ = ops.shape(x)
    weights = ops.reshape(weights, (rows, steps))
    first = ops.cast(ops.argmax(weights, axis=1, keepdims=True), "int32")
    step = ops.where(weights > 0, ops.arange(steps, dtype="int32"), first)
    return ops.reshape(gather_steps(x, step), ops.shape(x))


def gradient_of_fetched(
    g: Tensor, y: Tensor, x: Tensor, weights: Tensor
) -> Tensor:
    """The gradient `g`, shared by the real steps that attain the extreme."""
    hit, ties = attained(x, y, weights)
    share = zero_unless(hit, ops.cast(upcast_half(g) / ties, dtype_name(g)))
    # A NaN at a real step must not give a gradient of 0.
    lost = ops.logical_and(ops.isnan(y), weights > 0)
    return ops.cond(
        ops.any(ops.isnan(y)),
        lambda: ops.where(lost, y, share),
        lambda: share,
    )
