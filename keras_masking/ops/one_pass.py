"""Reductions and softmax over real steps, with few passes over a sequence.

What `reductions`, `statistics` and `softmax` here compute with. Each function
has its plain formula, and a shortcut that `shortcuts` explains. Formulas differ
between backends where one of them was measured to be slower, or forgets a NaN.

`mask` has as many axes as `x`. Empty rows give 0 in sums and the least of the
dtype in maxima.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from keras_masking._keras import choose
from keras_masking._keras import is_known
from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import is_whole
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import wide
from keras_masking.ops.masks import any_real
from keras_masking.ops.shortcuts import along_steps
from keras_masking.ops.shortcuts import differentiable
from keras_masking.ops.shortcuts import shorter

# Elements that PyTorch reads at a time: 4 MiB of float32 stay in a cache.
_PIECE = 2**20
# Elements from which a copy is memory that JAX asks the system for: 32 MiB.
LARGE = 2**23


def real_sum(x: Tensor, mask: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    """Sum over real steps, in float32 at least."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    if len(axes) > 1 and 1 in axes and along_steps(x, mask, 1):
        x = real_sum(x, mask, 1, keepdims=True)  # the other axes are small
        return ops.sum(x, axis=axis, keepdims=keepdims)

    def plain(x: Tensor, mask: Tensor) -> Tensor:
        real = wide(ops.where(mask, x, scalar(0, x)))
        return ops.sum(real, axis=axis, keepdims=keepdims)

    def short(x: Tensor, mask: Tensor) -> Tensor:
        x = wide(x)
        weights = ops.cast(mask, dtype_name(x))
        y = differentiable(_sum, _sum_gradient, x, weights)
        return y if keepdims else ops.squeeze(y, 1)

    if dtype_name(x) != "float32" and keras.backend.backend() == "jax":
        return plain(x, mask)  # the float32 copy would be written out
    return shorter(short, plain, x, mask, axis)


def _product(x: Tensor, weights: Tensor) -> Tensor:
    shape = ops.shape(x)
    flat = ops.reshape(x, (*shape[:2], -1)) if len(shape) > 3 else x
    row = ops.reshape(weights, (shape[0], 1, shape[1]))
    return ops.reshape(ops.matmul(row, flat), (shape[0], 1, *shape[2:]))


def _sum(x: Tensor, weights: Tensor) -> Tensor:
    def plain(x: Tensor, weights: Tensor) -> Tensor:
        real = ops.where(weights > 0, x, scalar(0, x))
        return ops.sum(real, axis=1, keepdims=True)

    y = _product(x, weights)
    # An overflow of the sum of all counts as well: that is only slower.
    return choose(
        ops.isfinite(ops.sum(y)),
        lambda: y,
        lambda: _by_rows(plain, x, weights),
    )


def _sum_gradient(g: Tensor, y: Tensor, x: Tensor, weights: Tensor) -> Tensor:
    def select() -> Tensor:
        return ops.where(weights > 0, g, scalar(0, g))

    if keras.backend.backend() != "torch":
        return select()
    # There a `where` takes thrice the time of a product.
    return choose(ops.isfinite(ops.sum(g)), lambda: weights * g, select)


def real_squares(
    x: Tensor, mask: Tensor, mean: Tensor, axis: Axis, keepdims: bool
) -> Tensor:
    """Sum of the squared distances of real steps from their mean.

    `mean` keeps the axes. It may be that of several features, if their sums
    are added up in the end: its gradient cancels then, and none is computed.
    """
    axes = [axis] if isinstance(axis, int) else list(axis)
    if len(axes) > 1 and 1 in axes and along_steps(x, mask, 1):
        x = real_squares(x, mask, mean, 1, keepdims=True)
        return ops.sum(x, axis=axis, keepdims=keepdims)

    def plain(x: Tensor, mask: Tensor) -> Tensor:
        # Selected before the square: the derivative of one at a NaN is NaN.
        apart = ops.where(mask, x - mean, scalar(0, x))
        return ops.sum(ops.square(apart), axis=axis, keepdims=keepdims)

    def short(x: Tensor, mask: Tensor) -> Tensor:
        weights = ops.cast(mask, dtype_name(x))
        y = differentiable(_squares, _squares_gradient, x, weights, mean)
        return y if keepdims else ops.squeeze(y, 1)

    return shorter(short, plain, x, mask, axis)


def _squares(x: Tensor, weights: Tensor, mean: Tensor) -> Tensor:
    def plain(x: Tensor, weights: Tensor, mean: Tensor) -> Tensor:
        apart = ops.where(weights > 0, x - mean, scalar(0, x))
        return ops.sum(ops.square(apart), axis=1, keepdims=True)

    def select() -> Tensor:
        return _by_rows(plain, x, weights, mean)

    def fused() -> Tensor:
        apart = (x - mean) * weights
        return ops.sum(apart * apart, axis=1, keepdims=True)

    if keras.backend.backend() == "jax":
        # Asked of the squares, XLA would write them out. And of the mean, since
        # the largest float may be padding.
        fine = ops.logical_and(_finite(x), ops.isfinite(ops.sum(mean * mean)))
        return choose(fine, fused, select)
    y = None
    for part in _parts(x):
        apart = x[:, part] - mean
        z = _product(apart * apart, weights[:, part])
        y = z if y is None else y + z
    return choose(ops.isfinite(ops.sum(y)), lambda: y, select)


def _squares_gradient(
    g: Tensor, y: Tensor, x: Tensor, weights: Tensor, mean: Tensor
) -> Tensor:
    # The mean moves too, and changes nothing: there the sum is least.
    zero = scalar(0, x)
    apart = ops.where(weights > 0, x - mean, zero)
    return ops.where(weights > 0, apart * (2 * g), zero)


def real_extreme(
    x: Tensor, mask: Tensor, axis: Axis, keepdims: bool, largest: bool
) -> Tensor:
    """Maximum or minimum over real steps."""
    worst = scalar(_worst(x, largest), x)
    reduce = ops.max if largest else ops.min

    def plain(x: Tensor, mask: Tensor) -> Tensor:
        real = ops.where(mask, x, worst)
        if 0 in x.shape:  # Keras has no maximum of nothing
            return ops.sum(real, axis=axis, keepdims=keepdims)
        return reduce(real, axis=axis, keepdims=keepdims)

    def short(x: Tensor, mask: Tensor) -> Tensor:
        weights = ops.cast(mask, dtype_name(x))

        def value(x: Tensor, weights: Tensor) -> Tensor:
            bias = ops.where(weights > 0, scalar(0, x), worst)
            if keras.backend.backend() == "jax":
                return choose(
                    _finite(x),
                    lambda: _extreme(x, bias, largest),
                    lambda: _by_rows(select, x, weights),
                )
            y = _extreme(x, bias, largest)
            # `inf - inf` at padding, or a NaN of real steps.
            broken = ops.isnan(ops.sum(y))
            return choose(broken, lambda: select(x, weights), lambda: y)

        def select(x: Tensor, weights: Tensor) -> Tensor:
            real = ops.where(weights > 0, x, worst)
            return reduce(real, axis=1, keepdims=True)

        y = differentiable(value, _extreme_gradient, x, weights)
        return y if keepdims else ops.squeeze(y, 1)

    # XLA, which may compile for TensorFlow too, forgets a NaN in a maximum:
    # asking x takes what is gained, if memory is not asked of the system.
    gains = {"torch": True, "jax": _size(x) >= LARGE}
    if not gains.get(keras.backend.backend()):
        return plain(x, mask)
    return shorter(short, plain, x, mask, axis)


def _size(x: Tensor) -> int:
    sizes = tuple(x.shape)
    return int(np.prod(sizes)) if all(is_whole(n) for n in sizes) else 0


def _worst(x: Tensor, largest: bool) -> float:
    if is_float(x):
        return -np.inf if largest else np.inf
    limits = np.iinfo(dtype_name(x))
    return limits.min if largest else limits.max


def _extreme(x: Tensor, bias: Tensor, largest: bool) -> Tensor:
    reduce, join = (ops.max, ops.maximum) if largest else (ops.min, ops.minimum)
    y = None
    for part in _parts(x):
        z = reduce(x[:, part] + bias[:, part], axis=1, keepdims=True)
        y = z if y is None else join(y, z)
    return y


def _extreme_gradient(
    g: Tensor, y: Tensor, x: Tensor, weights: Tensor
) -> Tensor:
    hit = ops.logical_and(ops.equal(x, y), weights > 0)
    ties = ops.sum(ops.cast(hit, "float32"), axis=1, keepdims=True)
    share = ops.cast(wide(g) / ops.maximum(ties, 1), dtype_name(g))
    shares = ops.where(hit, share, scalar(0, g))

    def beside_nan() -> Tensor:  # a NaN among real steps is no gradient of 0
        lost = ops.logical_and(ops.isnan(y), weights > 0)
        return ops.where(lost, y, shares)

    return choose(ops.isnan(ops.sum(y)), beside_nan, lambda: shares)


def real_softmax(x: Tensor, mask: Tensor, axis: Axis) -> Tensor:
    """Softmax over real steps, 0 at padding, of floats as wide as they are."""

    def plain(x: Tensor, mask: Tensor) -> Tensor:
        y = ops.softmax(ops.where(mask, x, no_step(mask, axis, x)), axis=axis)
        return ops.where(mask, y, scalar(0, y))

    def short(x: Tensor, mask: Tensor) -> Tensor:
        weights = ops.cast(mask, dtype_name(x))
        if keras.backend.backend() != "torch":
            return differentiable(_softmax, _softmax_gradient, x, weights)
        # Differentiates by itself, where all is finite.
        x = differentiable(_same, _finite_gradient, x, weights)
        y = _biased_softmax(x, weights)
        y = differentiable(_same, _finite_gradient, y, weights)
        fine = ops.logical_and(
            ops.isfinite(ops.sum(y)), ops.all(any_real(mask))
        )
        return choose(fine, lambda: y, lambda: plain(x, mask))

    return shorter(short, plain, x, mask, axis)


def no_step(mask: Tensor, axis: Axis, x: Tensor) -> Tensor:
    """What an exponential sees at a padding step.

    That is `-inf`, whose exponential is 0; but 0 in an empty row, where `-inf`
    everywhere would make NaN.
    """
    row = any_real(mask, axis, keepdims=True)
    return ops.where(row, scalar(-np.inf, x), scalar(0, x))


def _biased_softmax(x: Tensor, weights: Tensor) -> Tensor:
    real = weights > 0
    bias = ops.where(real, scalar(0, x), no_step(real, 1, x))
    return ops.softmax(x + bias, axis=1)


def _softmax(x: Tensor, weights: Tensor) -> Tensor:
    def plain(x: Tensor, weights: Tensor) -> Tensor:
        real = weights > 0
        y = ops.softmax(ops.where(real, x, no_step(real, 1, x)), axis=1)
        return ops.where(real, y, scalar(0, y))

    def short() -> Tensor:
        return _biased_softmax(x, weights)

    if keras.backend.backend() == "jax":  # a condition copies what it is given
        fine = _finite(x)
    else:  # on TensorFlow a NaN does not reach all steps
        y = short()
        short, fine = (lambda: y), ops.isfinite(ops.sum(y))
    some = ops.all(any_real(weights > 0))
    return choose(
        ops.logical_and(some, fine),
        short,
        lambda: _by_rows(plain, x, weights),
    )


def _softmax_gradient(
    g: Tensor, y: Tensor, x: Tensor, weights: Tensor
) -> Tensor:
    inner = ops.sum(y * g, axis=1, keepdims=True)

    def select() -> Tensor:
        real, zero = weights > 0, scalar(0, g)
        finite = ops.where(real, g, zero)
        inner = ops.sum(y * finite, axis=1, keepdims=True)
        return ops.where(real, y * (finite - inner), zero)

    fine = ops.isfinite(ops.sum(inner))
    return choose(fine, lambda: y * (g - inner), select)


def _same(y: Tensor, weights: Tensor) -> Tensor:
    return y


def _finite_gradient(
    g: Tensor, y: Tensor, x: Tensor, weights: Tensor
) -> Tensor:
    """A gradient as it is, or without that of padding if that is not finite."""
    at_padding = _product(g, 1 - weights)
    return choose(
        ops.isfinite(ops.sum(at_padding)),
        lambda: g,
        lambda: ops.where(weights > 0, g, scalar(0, g)),
    )


def _finite(x: Tensor) -> Tensor:
    """Whether all of `x` is finite, padding too.

    Asked of plain sums: XLA's maximum forgets a NaN, and XLA may make a
    selection of a product with a mask.
    """
    return ops.isfinite(ops.sum(ops.sum(x, axis=1)))


def _parts(x: Tensor) -> list[slice]:
    """Steps to go through at a time, so that a copy of them is a small one.

    All at once but on PyTorch, which makes each copy anew.
    """
    if keras.backend.backend() != "torch":
        return [slice(None)]
    steps = x.shape[1]
    pieces = -(-_size(x) // _PIECE)
    length = -(-steps // pieces)
    return [slice(i, i + length) for i in range(0, steps, length)]


def _by_rows(plain: Callable[..., Tensor], *args: Tensor) -> Tensor:
    """`plain(*args)`; in a compiled JAX function row by row.

    Else that would set memory of the size of `x` aside, though it is not used.
    """
    if keras.backend.backend() != "jax" or is_known(args[0]):
        return plain(*args)
    return ops.map(lambda rows: plain(*[row[None] for row in rows])[0], args)
