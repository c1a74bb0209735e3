"""Reductions and softmax over real steps.

They share these rules. `axis` is reduced, or normalized over. A mask of lower
rank than `x` is expanded on the right, for example `(batch, steps)` for
`(batch, steps, features)`. `mask=None` means that every step is real. Values at
padding steps, including NaN and infinities, affect neither results nor
gradients, and their own gradient is 0. float16 and bfloat16 accumulate in
float32 and are cast once, at the end.
"""

from functools import partial

import keras
import numpy as np
from keras import ops

from keras_masking._backends import at_least_one
from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import as_float
from keras_masking.ops.dtypes import cast_to
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.one_pass import real_extreme
from keras_masking.ops.one_pass import real_sum
from keras_masking.ops.reading import expanded
from keras_masking.ops.reading import of_each_number
from keras_masking.ops.reading import read_reduced


def fill_empty(
    y: Tensor,
    mask: Tensor | None,
    axis: Axis,
    keepdims: bool,
    empty_value: float,
    dtype: str,
    given: float = 0.0,
) -> Tensor:
    """`y` as `dtype`, with `empty_value` in empty rows if there is a mask."""
    if mask is not None and given != empty_value:
        y = ops.where(
            has_real_step(mask, axis, keepdims), y, scalar(empty_value, y)
        )
    return cast_to(y, dtype)


def count_real(
    mask: Tensor, x: Tensor, axis: Axis, keepdims: bool, dtype: str
) -> Tensor:
    """The number of real steps as `dtype`, at least 1.

    `mask` may have fewer axes than `x`.
    """
    rank, given = len(x.shape), len(mask.shape)
    axes = [axis] if isinstance(axis, int) else list(axis)
    lacking = [ops.shape(x)[a] for a in axes if a % rank >= given]
    mask = expanded(mask, rank)
    if None in lacking:  # symbolic, of unknown size: only the shape matters
        mask, lacking = ops.broadcast_to(mask, x.shape), []
    # Along one axis a float count is exact, up to 2 ** 24 steps.
    counts = dtype if len(axes) == 1 else "int32"
    count = ops.sum(ops.cast(mask, counts), axis=axis, keepdims=keepdims)
    for size in lacking:  # axes that the mask does not have
        count = count * ops.cast(size, counts)
    return at_least_one(cast_to(count, dtype))


def masked_sum(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Sum over real steps.

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype that `keras.ops.sum` returns. A sum that this dtype
        cannot represent overflows, above 65504 in float16.

    Example:

    >>> x = np.array([[1.0, 2.0, np.nan]], "float32")
    >>> y = keras_masking.ops.masked_sum(x, np.array([[1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y)
    array([3.], dtype=float32)
    """
    x, mask, axis = read_reduced("masked_sum", x, mask, axis)
    return unchecked_sum(x, mask, axis, keepdims, empty_value)


def unchecked_sum(
    x: Tensor,
    mask: Tensor | None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    mask = of_each_number(x, mask)
    if mask is None:
        total = ops.sum(upcast_half(x), axis=axis, keepdims=keepdims)
    else:
        total = real_sum(x, mask, axis, keepdims)
    dtype = dtype_name(x) if is_float(x) else dtype_name(total)
    return fill_empty(total, mask, axis, keepdims, empty_value, dtype)


def masked_mean(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Mean over real steps: their sum divided by their number.

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype of `x`, or of `keras.config.floatx()` for integers.

    Example:

    >>> x = np.array([[1.0, 3.0, np.nan], [7.0, 8.0, 9.0]], "float32")
    >>> mask = np.array([[1, 1, 0], [0, 0, 0]])
    >>> keras.ops.convert_to_numpy(keras_masking.ops.masked_mean(x, mask))
    array([2., 0.], dtype=float32)
    """
    x, mask, axis = read_reduced("masked_mean", x, mask, axis)
    return unchecked_mean(x, mask, axis, keepdims, empty_value)


def unchecked_mean(
    x: Tensor,
    mask: Tensor | None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    x = as_float(x)
    mean = upcast_mean(x, mask, axis, keepdims)
    mask = of_each_number(x, mask)
    return fill_empty(mean, mask, axis, keepdims, empty_value, dtype_name(x))


def upcast_mean(
    x: Tensor, mask: Tensor | None, axis: Axis, keepdims: bool
) -> Tensor:
    """Mean of floats, in float32 at least; 0 for an empty row."""
    if mask is None:
        # Keras computes the mean of float64 in float32 on PyTorch, and none of
        # nothing.
        if dtype_name(x) != "float64" and 0 not in x.shape:
            return ops.mean(upcast_half(x), axis=axis, keepdims=keepdims)
        mask = ops.ones_like(x, dtype="bool")
    total = real_sum(x, expanded(mask, len(x.shape)), axis, keepdims)
    return total / count_real(mask, x, axis, keepdims, dtype_name(total))


def masked_max(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Maximum over real steps.

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype of `x`.

    Example:

    >>> x = np.array([[-1.0, -3.0, 0.0]], "float32")
    >>> y = keras_masking.ops.masked_max(x, np.array([[1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y)
    array([-1.], dtype=float32)
    """
    x, mask, axis = read_reduced("masked_max", x, mask, axis)
    return unchecked_max(x, mask, axis, keepdims, empty_value)


def masked_min(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Minimum over real steps.

    Args:
        x: Tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: The result where there is no real step.

    Returns:
        Tensor of the dtype of `x`.

    Example:

    >>> x = np.array([[1.0, 3.0, 0.0]], "float32")
    >>> y = keras_masking.ops.masked_min(x, np.array([[1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y)
    array([1.], dtype=float32)
    """
    x, mask, axis = read_reduced("masked_min", x, mask, axis)
    return unchecked_min(x, mask, axis, keepdims, empty_value)


def _extreme(
    largest: bool,
    x: Tensor,
    mask: Tensor | None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    mask = of_each_number(x, mask)
    if mask is None:
        reduce = ops.max if largest else ops.min
        return reduce(x, axis=axis, keepdims=keepdims)
    numbers = ops.cast(x, "uint8") if dtype_name(x) == "bool" else x
    result = real_extreme(numbers, mask, axis, keepdims, largest)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    if on_tensorflow and is_float(x) and 0 not in x.shape:
        # Not selected: an exporter would multiply the infinity of an empty row
        # by 0. The bound is a constant, or that infinity.
        row = has_real_step(mask, axis, keepdims)
        worst = scalar(-np.inf if largest else np.inf, x)
        bound = ops.where(row, worst, scalar(empty_value, x))
        return (ops.maximum if largest else ops.minimum)(result, bound)
    how = axis, keepdims, empty_value, dtype_name(x)
    return fill_empty(result, mask, *how, given=np.nan)


unchecked_max = partial(_extreme, True)
unchecked_min = partial(_extreme, False)
