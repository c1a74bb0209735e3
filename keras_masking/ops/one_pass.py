"""Reductions over real steps, with few passes over a sequence.

Used by `reductions` and `statistics`. Each function has a plain formula and a
fast path (see `fast_paths`). Formulas differ between backends where one was
measured to be slower, or loses a NaN.

`mask` has as many axes as `x`. Empty rows give 0 in sums and the lowest value
of the dtype in maxima.
"""

from functools import partial
from math import prod

import keras
import numpy as np
from keras import ops

from keras_masking._arguments import is_whole
from keras_masking._backends import cond
from keras_masking._backends import is_torch_tensor
from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import select
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.dtypes import zero_unless
from keras_masking.ops.fast_paths import attained
from keras_masking.ops.fast_paths import fast_or_plain
from keras_masking.ops.fast_paths import fast_reduction
from keras_masking.ops.fast_paths import map_rows
from keras_masking.ops.fast_paths import product
from keras_masking.ops.fast_paths import reduced
from keras_masking.ops.fast_paths import selected
from keras_masking.ops.fast_paths import sums_finite
from keras_masking.ops.fast_paths import takes_fast_path
from keras_masking.ops.fetching import extreme_of_fetched
from keras_masking.ops.fetching import gradient_of_fetched
from keras_masking.ops.fetching import has_wide_steps
from keras_masking.ops.rows import extreme_of_rows
from keras_masking.ops.rows import squares_of_rows
from keras_masking.ops.rows import sum_of_rows

# Elements from which JAX is faster row by row: 1 MiB of float32.
LARGE = 2**18


def real_sum(x: Tensor, mask: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    """Sum over real steps, in float32 at least."""
    if _steps_and_more(x, mask, axis):
        x = real_sum(x, mask, 1, keepdims=True)  # the rest is small
        return ops.sum(x, axis=axis, keepdims=keepdims)

    def plain(x: Tensor, mask: Tensor) -> Tensor:
        return _plain_sum(x, mask, axis, keepdims)

    def fast(x: Tensor, mask: Tensor) -> Tensor:
        if is_torch_tensor(x):
            return reduced(sum_of_rows(x, mask), keepdims)
        how = _sum, _sum_gradient, _sum_tangent
        return fast_reduction(*how, upcast_half(x), mask, keepdims)

    if dtype_name(x) != "float32" and keras.backend.backend() == "jax":
        return plain(x, mask)  # it would write out a float32 copy
    return fast_or_plain(fast, plain, x, mask, axis)


def _steps_and_more(x: Tensor, mask: Tensor, axis: Axis) -> bool:
    several = not isinstance(axis, int) and 1 in axis and len(axis) > 1
    return several and takes_fast_path(x, mask, 1)


def _plain_sum(
    x: Tensor, real: Tensor, axis: Axis = 1, keepdims: bool = True
) -> Tensor:
    x = upcast_half(zero_unless(real, x))
    return ops.sum(x, axis=axis, keepdims=keepdims)


def _sum(x: Tensor, weights: Tensor) -> Tensor:
    y = product(x, weights)
    # An overflow of the total sum counts as not finite: that is only slower.
    return cond(
        ops.isfinite(ops.sum(y)),
        lambda: y,
        lambda: map_rows(_plain_sum, x, weights > 0),
    )


def _sum_gradient(g: Tensor, y: Tensor, x: Tensor, weights: Tensor) -> Tensor:
    return selected(g, weights)


def _sum_tangent(dx: Tensor, y: Tensor, x: Tensor, weights: Tensor) -> Tensor:
    return _plain_sum(dx, weights > 0)


def real_squares(
    x: Tensor, mask: Tensor, mean: Tensor, axis: Axis, keepdims: bool
) -> Tensor:
    """Sum of the squared distances of real steps from their mean.

    `mean` keeps the axes. Its gradient is 0, and is not computed.
    """
    if _steps_and_more(x, mask, axis):
        x = real_squares(x, mask, mean, 1, keepdims=True)
        return ops.sum(x, axis=axis, keepdims=keepdims)

    def plain(x: Tensor, mask: Tensor) -> Tensor:
        return _plain_squares(x, mask, mean, axis, keepdims)

    def fast(x: Tensor, mask: Tensor) -> Tensor:
        if is_torch_tensor(x):
            return reduced(squares_of_rows(x, mask, mean), keepdims)
        how = _squares, _squares_gradient, _squares_tangent
        return fast_reduction(*how, x, mask, keepdims, mean)

    return fast_or_plain(fast, plain, x, mask, axis)


def _plain_squares(
    x: Tensor, real: Tensor, mean: Tensor, axis: Axis = 1, keepdims: bool = True
) -> Tensor:
    # Select before squaring: the derivative of a square at NaN is NaN.
    apart = zero_unless(real, x - mean)
    return ops.sum(ops.square(apart), axis=axis, keepdims=keepdims)


def _squares(x: Tensor, weights: Tensor, mean: Tensor) -> Tensor:
    def select() -> Tensor:
        # A mean over the rows too is expanded to each of them.
        each = ops.broadcast_to(mean, (ops.shape(x)[0], *ops.shape(mean)[1:]))
        return map_rows(_plain_squares, x, weights > 0, each)

    def fused() -> Tensor:
        apart = (x - mean) * weights
        return ops.sum(apart * apart, axis=1, keepdims=True)

    if keras.backend.backend() == "jax":
        # Check `x`: to check the squares, XLA would write them out. Check the
        # mean as well, since padding may be the largest float.
        small = ops.isfinite(ops.sum(mean * mean))
        return cond(ops.logical_and(sums_finite(x), small), fused, select)
    apart = x - mean
    y = product(apart * apart, weights)
    return cond(ops.isfinite(ops.sum(y)), lambda: y, select)


def _squares_gradient(
    g: Tensor, y: Tensor, x: Tensor, weights: Tensor, mean: Tensor
) -> Tensor:
    # The gradient through the mean is 0, since the mean minimizes the sum.
    # Select twice: the selected values have a derivative too.
    return selected(selected(x - mean, weights) * (2 * g), weights)


def _squares_tangent(
    dx: Tensor, y: Tensor, x: Tensor, weights: Tensor, mean: Tensor
) -> Tensor:
    apart = selected(x - mean, weights)
    return _plain_sum(2 * apart * dx, weights > 0)


def real_extreme(
    x: Tensor, mask: Tensor, axis: Axis, keepdims: bool, largest: bool
) -> Tensor:
    """Maximum or minimum over real steps."""

    def plain(x: Tensor, mask: Tensor) -> Tensor:
        return _plain_extreme(x, mask, largest, axis, keepdims)

    def fast(x: Tensor, mask: Tensor) -> Tensor:
        if is_torch_tensor(x):
            y = extreme_of_rows(x, mask, largest, _worst(x, largest))
            return reduced(y, keepdims)
        value, gradient = _extreme, None  # JAX derives it
        if keras.backend.backend() == "tensorflow":
            value, gradient = extreme_of_fetched, gradient_of_fetched
        how = partial(value, largest=largest), gradient, _extreme_tangent
        return fast_reduction(*how, x, mask, keepdims)

    # XLA, which may also compile for TensorFlow, loses a NaN in a maximum:
    # there a result tells nothing, and checking `x` costs what is gained.
    large = _size(x) >= LARGE and dtype_name(x) == "float32"  # else slower
    gains = {
        "torch": True,
        "jax": large,
        "tensorflow": has_wide_steps(x),
    }
    if not gains.get(keras.backend.backend()):
        return plain(x, mask)
    return fast_or_plain(fast, plain, x, mask, axis)


def _worst(x: Tensor, largest: bool) -> Tensor:
    if is_float(x):
        return scalar(-np.inf if largest else np.inf, x)
    limits = np.iinfo(dtype_name(x))
    return scalar(limits.min if largest else limits.max, x)


def _plain_extreme(
    x: Tensor,
    real: Tensor,
    largest: bool,
    axis: Axis = 1,
    keepdims: bool = True,
) -> Tensor:
    reduce = ops.max if largest else ops.min
    if 0 in x.shape:  # Keras has no maximum of an empty tensor
        reduce = ops.sum
    x = select(real, x, _worst(x, largest))
    return reduce(x, axis=axis, keepdims=keepdims)


def _extreme(x: Tensor, weights: Tensor, largest: bool) -> Tensor:
    plain = partial(_plain_extreme, largest=largest)
    return map_rows(plain, x, weights > 0)


def _extreme_tangent(
    dx: Tensor, y: Tensor, x: Tensor, weights: Tensor
) -> Tensor:
    hit, ties = attained(x, y, weights)
    share = ops.cast(ops.cast(hit, "float32") / ties, dtype_name(x))
    # A NaN at a real step must not give a derivative of 0.
    share = selected(ops.where(ops.isnan(y), y, share), weights)
    return ops.cast(_plain_sum(share * dx, weights > 0), dtype_name(x))


def _size(x: Tensor) -> int:
    sizes = tuple(x.shape)
    return prod(sizes) if all(is_whole(n) for n in sizes) else 0
