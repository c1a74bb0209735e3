"""Moments and weighted means over real steps.

The rules of `reductions` apply here too.
"""

from functools import partial

from keras import ops

from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import as_float
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.masks import unchecked_position_ids
from keras_masking.ops.one_pass import real_squares
from keras_masking.ops.reading import expanded
from keras_masking.ops.reading import of_each_number
from keras_masking.ops.reading import read_reduced
from keras_masking.ops.reading import read_steps
from keras_masking.ops.reductions import count_real
from keras_masking.ops.reductions import fill_empty
from keras_masking.ops.reductions import unchecked_sum
from keras_masking.ops.reductions import upcast_mean


def masked_moments(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Mean and variance over real steps.

    The variance is the mean of the squared distances from the mean, divided by
    the number of real steps like `keras.ops.var`.

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: Both results where there is no real step.

    Returns:
        Two tensors of the dtype of `x`, or of `keras.config.floatx()` for
        integers.

    Example:

    >>> x = np.array([[1.0, 3.0, np.nan]], "float32")
    >>> moments = keras_masking.ops.masked_moments(x, np.array([[1, 1, 0]]))
    >>> [float(moment[0]) for moment in moments]
    [2.0, 1.0]
    """
    x, mask, axis = read_reduced("masked_moments", x, mask, axis)
    return unchecked_moments(x, mask, axis, keepdims, empty_value)


def unchecked_moments(
    x: Tensor,
    mask: Tensor | None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
    root: bool = False,
) -> tuple[Tensor, Tensor]:
    """Mean and variance, or mean and standard deviation."""
    x = as_float(x)
    mean, spread = _moments(x, mask, axis, keepdims)
    if root:
        some = spread > 0
        safe = ops.where(some, spread, scalar(1, spread))
        spread = ops.where(some, ops.sqrt(safe), spread)
    mask = of_each_number(x, mask)
    how = mask, axis, keepdims, empty_value, dtype_name(x)
    return fill_empty(mean, *how), fill_empty(spread, *how)


unchecked_mean_and_std = partial(unchecked_moments, root=True)


def _moments(
    x: Tensor, mask: Tensor | None, axis: Axis, keepdims: bool
) -> tuple[Tensor, Tensor]:
    mean = upcast_mean(x, mask, axis, keepdims=True)
    variance = _mean_square(upcast_half(x), mask, mean, axis, keepdims)
    return mean if keepdims else ops.squeeze(mean, axis), variance


def _mean_square(
    x: Tensor, mask: Tensor | None, mean: Tensor, axis: Axis, keepdims: bool
) -> Tensor:
    if mask is None:
        return upcast_mean(ops.square(x - mean), None, axis, keepdims)
    each = expanded(mask, len(x.shape))
    squares = real_squares(x, each, mean, axis, keepdims)
    return squares / count_real(mask, x, axis, keepdims, dtype_name(squares))


def masked_variance(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Variance over real steps, normalized by their number.

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype of `x`, or of `keras.config.floatx()` for integers.

    Example:

    >>> x = np.array([[1.0, 3.0, np.nan]], "float32")
    >>> y = keras_masking.ops.masked_variance(x, np.array([[1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y)
    array([1.], dtype=float32)
    """
    x, mask, axis = read_reduced("masked_variance", x, mask, axis)
    return unchecked_moments(x, mask, axis, keepdims, empty_value)[1]


def masked_std(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Standard deviation over real steps: the square root of their variance.

    Where the deviation is 0, for a single real step or equal ones, the root has
    no derivative; the gradient is 0 there.

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype of `x`, or of `keras.config.floatx()` for integers.

    Example:

    >>> x = np.array([[1.0, 5.0, np.nan], [4.0, 0.0, 0.0]], "float32")
    >>> mask = np.array([[1, 1, 0], [1, 0, 0]])
    >>> keras.ops.convert_to_numpy(keras_masking.ops.masked_std(x, mask))
    array([2., 0.], dtype=float32)
    """
    x, mask, axis = read_reduced("masked_std", x, mask, axis)
    return unchecked_mean_and_std(x, mask, axis, keepdims, empty_value)[1]


def masked_sqrtn(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Sum over real steps, divided by the square root of their number.

    The variance of a sum of independent steps grows with their number; the
    variance of this result does not. (TensorFlow calls it the combiner
    `"sqrtn"`, sentence-transformers the pooling mode `mean_sqrt_len_tokens`.)

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype of `x`, or of `keras.config.floatx()` for integers.

    Example:

    >>> x = np.array([[1.0, 2.0, 3.0, 2.0, np.nan]], "float32")
    >>> y = keras_masking.ops.masked_sqrtn(x, np.array([[1, 1, 1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y)
    array([4.], dtype=float32)
    """
    x, mask, axis = read_reduced("masked_sqrtn", x, mask, axis)
    return unchecked_sqrtn(x, mask, axis, keepdims, empty_value)


def unchecked_sqrtn(
    x: Tensor,
    mask: Tensor | None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    x = as_float(x)
    mean = upcast_mean(x, mask, axis, keepdims)
    real = ops.ones_like(x, dtype="bool") if mask is None else mask
    count = count_real(real, x, axis, keepdims, dtype_name(mean))
    y, mask = mean * ops.sqrt(count), of_each_number(x, mask)
    return fill_empty(y, mask, axis, keepdims, empty_value, dtype_name(x))


def masked_position_mean(
    x: Tensor,
    mask: Tensor | None = None,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Mean over real steps in which the k-th real step has weight k.

    For causal models, whose later steps have seen more (Muennighoff 2022, SGPT:
    `sum(k * x[k]) / sum(k)`; the pooling mode `weightedmean` of
    sentence-transformers). Padding on either side is not counted.

    Args:
        x: Tensor, `(batch, steps, ...)`.
        mask: True at real steps, `(batch, steps)`. Defaults to all real.
        keepdims: Whether to keep the step axis with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype of `x`, or of `keras.config.floatx()` for integers.

    Example:

    >>> x = np.array([[np.nan, 1.0, 4.0]], "float32")
    >>> y = keras_masking.ops.masked_position_mean(x, np.array([[0, 1, 1]]))
    >>> keras.ops.convert_to_numpy(y)
    array([3.], dtype=float32)
    """
    x, mask = read_steps("masked_position_mean", x, mask)
    return unchecked_position_mean(x, mask, keepdims, empty_value)


def unchecked_position_mean(
    x: Tensor,
    mask: Tensor | None,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    x = as_float(x)
    real = fill_padding(upcast_half(x), mask)
    if mask is None:
        mask = unchecked_full_mask(x)
    # As floats: the integer sum overflows from 65536 steps.
    place = ops.cast(unchecked_position_ids(mask) + 1, dtype_name(real))
    total = unchecked_sum(place, mask, keepdims=True)
    share = expanded(place / ops.maximum(total, 1), len(x.shape))
    mask = expanded(mask, len(x.shape))
    y = ops.sum(real * share, axis=1, keepdims=keepdims)
    return fill_empty(y, mask, 1, keepdims, empty_value, dtype_name(x))
