"""Softmax and logsumexp over real steps.

The rules of `reductions` apply here too.
"""

import keras
import numpy as np
from keras import ops

from keras_masking._backends import cond
from keras_masking._backends import is_torch_tensor
from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import as_float
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import largest_float
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import select
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.dtypes import zero_unless
from keras_masking.ops.fast_paths import fast_or_plain
from keras_masking.ops.fast_paths import map_rows
from keras_masking.ops.fast_paths import selected
from keras_masking.ops.fast_paths import sums_finite
from keras_masking.ops.fast_paths import with_gradient
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.reading import of_each_number
from keras_masking.ops.reading import read_reduced
from keras_masking.ops.reductions import fill_empty
from keras_masking.ops.rows import softmax_of_rows


def masked_logsumexp(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Logarithm of the sum of the exponentials of real steps.

    The largest real value is subtracted first, `m + log(sum(exp(x - m)))`, so
    the result is accurate for values of any size.

    Args:
        x: Float tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: The result where there is no real step. The formula's limit
            is `-inf`; the default is 0, which is finite.

    Returns:
        Tensor of the dtype of `x`, or of `keras.config.floatx()` for integers.

    Example:

    >>> x = np.array([[1000.0, 1000.0, np.nan]], "float32")
    >>> y = keras_masking.ops.masked_logsumexp(x, np.array([[1, 1, 0]]))
    >>> round(float(y[0]), 3)
    1000.693
    """
    x, mask, axis = read_reduced("masked_logsumexp", x, mask, axis)
    x, mask = as_float(x), of_each_number(x, mask)
    wide = upcast_half(x)
    if mask is None:
        result = ops.logsumexp(wide, axis=axis, keepdims=keepdims)
    else:
        most = largest_float(wide)
        _, total, largest = _exponentials(wide, mask, axis, most)
        result = ops.log(total) + largest
        result = result if keepdims else ops.squeeze(result, axis)
    how = axis, keepdims, empty_value, dtype_name(x)
    return fill_empty(result, mask, *how, given=np.nan)


def masked_softmax(
    x: Tensor, mask: Tensor | None = None, axis: Axis = 1
) -> Tensor:
    """Softmax over real steps, which sum to 1; padding steps are exactly 0.

    Args:
        x: Float tensor of logits of any size, such as
            `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to normalize over. Defaults to 1, the steps.

    Returns:
        Tensor of the shape and dtype of `x` (of `keras.config.floatx()` for
        integers). Zeros where there is no real step.

    Example:

    >>> x = np.array([[5.0, 5.0, np.nan], [1.0, 2.0, 3.0]], "float32")
    >>> mask = np.array([[1, 1, 0], [0, 0, 0]])
    >>> keras.ops.convert_to_numpy(keras_masking.ops.masked_softmax(x, mask))
    array([[0.5, 0.5, 0. ],
           [0. , 0. , 0. ]], dtype=float32)
    """
    return unchecked_softmax(*read_reduced("masked_softmax", x, mask, axis))


def unchecked_softmax(x: Tensor, mask: Tensor | None, axis: Axis = 1) -> Tensor:
    x, mask = as_float(x), of_each_number(x, mask)
    if 0 in x.shape:  # the NumPy backend has no maximum of it
        return ops.zeros_like(x)
    if isinstance(axis, int) and x.shape[axis] == 1:
        # For an int axis Keras warns about a single step, which is no mistake;
        # for a negative axis in a tuple it fails.
        axis = (axis % len(x.shape),)
    if mask is None:
        weights = ops.softmax(upcast_half(x), axis=axis)
    else:
        weights = _real_softmax(upcast_half(x), mask, axis)
    return ops.cast(weights, dtype_name(x))


def _real_softmax(x: Tensor, mask: Tensor, axis: Axis) -> Tensor:
    """Softmax of floats over real steps, 0 at padding, in their own dtype."""

    def plain(x: Tensor, mask: Tensor) -> Tensor:
        return _plain_softmax(x, mask, axis)

    def fast(x: Tensor, mask: Tensor) -> Tensor:
        if is_torch_tensor(x):
            return softmax_of_rows(x, mask)
        how = _softmax, _softmax_gradient, _softmax_tangent
        return with_gradient(*how, x, ops.cast(mask, dtype_name(x)))

    return fast_or_plain(fast, plain, x, mask, axis)


def _exponentials(
    x: Tensor, real: Tensor, axis: Axis, most: float = np.inf
) -> tuple[Tensor, Tensor, Tensor]:
    """`exp(x - largest)`, 0 at padding; its sum, 1 in an empty row; `largest`.

    `largest` is at most `most`.

    An infinity is a constant here, never computed in a branch that is not
    selected: tf2onnx writes a `where` as a sum of products otherwise.
    """
    known = select(real, x, scalar(-np.inf, x))
    reduce = ops.sum if 0 in x.shape else ops.max  # there is no maximum
    largest = ops.stop_gradient(reduce(known, axis=axis, keepdims=True))
    largest = ops.clip(largest, -largest_float(x), most)
    each = ops.exp(known - largest)
    total = ops.sum(each, axis=axis, keepdims=True)
    row = has_real_step(real, axis, keepdims=True)
    return each, ops.where(row, total, scalar(1, x)), largest


def _biased_softmax(x: Tensor, weights: Tensor) -> Tensor:
    bias = ops.where(weights > 0, scalar(0, x), scalar(-np.inf, x))
    return ops.softmax(x + bias, axis=1)


def _plain_softmax(x: Tensor, real: Tensor, axis: Axis = 1) -> Tensor:
    if keras.backend.backend() == "torch":  # its kernel is faster
        row = has_real_step(real, axis, keepdims=True)
        fill = ops.where(row, scalar(-np.inf, x), scalar(0, x))
        y = ops.softmax(select(real, x, fill), axis=axis)
    else:
        each, total, _ = _exponentials(x, real, axis)
        y = each / total
    return zero_unless(real, y)


def _softmax(x: Tensor, weights: Tensor) -> Tensor:
    # Check `x`, not the result: code outside a condition is differentiated too,
    # and on TensorFlow a NaN does not reach all steps.
    some = ops.all(has_real_step(weights > 0))
    return cond(
        ops.logical_and(some, sums_finite(x)),
        lambda: _biased_softmax(x, weights),
        lambda: map_rows(_plain_softmax, x, weights > 0),
    )


def _softmax_gradient(
    g: Tensor, y: Tensor, x: Tensor, weights: Tensor
) -> Tensor:
    inner = ops.sum(y * g, axis=1, keepdims=True)

    def select() -> Tensor:
        finite = selected(g, weights)
        inner = ops.sum(y * finite, axis=1, keepdims=True)
        return selected(y * (finite - inner), weights)

    fine = ops.isfinite(ops.sum(inner))
    return cond(fine, lambda: y * (g - inner), select)


def _softmax_tangent(
    dx: Tensor, y: Tensor, x: Tensor, weights: Tensor
) -> Tensor:
    part = selected(y * dx, weights)
    total = ops.sum(part, axis=1, keepdims=True)
    return selected(part - y * total, weights)
