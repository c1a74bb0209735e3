"""Reductions and softmax over real steps.

All of them share these rules. `axis` is reduced, or normalized. A mask of
lower rank than `x` is expanded on the right: `(batch, steps)` for
`(batch, steps, features)`. `mask=None` means that every step is real. What
stands at padding steps, NaN and infinities included, changes neither a value
nor a gradient, and its own gradient is 0. float16 and bfloat16 accumulate in
float32 and are cast once, at the end.
"""

import keras
import numpy as np
from keras import ops

from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.masks import any_real
from keras_masking.ops.masks import read_expanded
from keras_masking.ops.masks import scalar


def _dtype(x: Tensor) -> str:
    return str(keras.backend.standardize_dtype(x.dtype))


def _read(
    who: str, x: Tensor, mask: Tensor | None, axis: Axis
) -> tuple[Tensor, Tensor | None, Axis]:
    x, mask = read_expanded(who, x, mask)
    if isinstance(axis, (int, np.integer)):
        return x, mask, int(axis)
    if isinstance(axis, (list, tuple)):
        return x, mask, tuple(int(a) for a in axis)
    raise ValueError(
        describe(
            f"`{who}`",
            "`axis` must be an integer or several.",
            "Pass the axis of the steps, 1 as a rule.",
            axis=repr(axis),
        )
    )


def _is_float(x: Tensor) -> bool:
    return "float" in _dtype(x)


def _wide(x: Tensor) -> Tensor:
    return ops.cast(x, "float32") if _dtype(x).endswith("float16") else x


def _as_float(x: Tensor) -> Tensor:
    return x if _is_float(x) else ops.cast(x, keras.config.floatx())


def _fill_empty(
    y: Tensor,
    mask: Tensor | None,
    axis: Axis,
    keepdims: bool,
    empty_value: float,
    dtype: str,
) -> Tensor:
    if mask is not None:
        y = ops.where(any_real(mask, axis, keepdims), y, scalar(empty_value, y))
    return ops.cast(y, dtype)


def _count(mask: Tensor, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    axes = [axis] if isinstance(axis, int) else list(axis)
    count = ops.sum(ops.cast(mask, "int32"), axis=axis, keepdims=keepdims)
    for size, ones in ((ops.shape(x)[a], mask.shape[a] == 1) for a in axes):
        if ones:  # an axis that the mask does not have
            count = count * size
    return ops.maximum(count, 1)


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
        Tensor of the dtype that `keras.ops.sum` gives. A sum that this dtype
        cannot hold overflows: above 65504 in float16.

    Example:

    >>> x = np.array([[1.0, 2.0, np.nan]], "float32")
    >>> y = keras_masking.ops.masked_sum(x, np.array([[1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y)
    array([3.], dtype=float32)
    """
    x, mask, axis = _read("masked_sum", x, mask, axis)
    real = x if mask is None else ops.where(mask, x, scalar(0, x))
    total = ops.sum(_wide(real), axis=axis, keepdims=keepdims)
    dtype = _dtype(x) if _is_float(x) else _dtype(total)
    return _fill_empty(total, mask, axis, keepdims, empty_value, dtype)


def masked_mean(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Mean over real steps: their sum, divided by their number.

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
    x, mask, axis = _read("masked_mean", x, mask, axis)
    x = _as_float(x)
    if mask is None:
        mean = ops.mean(_wide(x), axis=axis, keepdims=keepdims)
    else:
        real = _wide(ops.where(mask, x, scalar(0, x)))
        count = _count(mask, x, axis, keepdims)
        mean = ops.sum(real, axis=axis, keepdims=keepdims) / ops.cast(
            count, _dtype(real)
        )
    return _fill_empty(mean, mask, axis, keepdims, empty_value, _dtype(x))


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
    return _extreme("masked_max", x, mask, axis, keepdims, empty_value)


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
    return _extreme("masked_min", x, mask, axis, keepdims, empty_value)


def _extreme(
    who: str,
    x: Tensor,
    mask: Tensor | None,
    axis: Axis,
    keepdims: bool,
    empty_value: float,
) -> Tensor:
    x, mask, axis = _read(who, x, mask, axis)
    largest = who == "masked_max"
    reduce = ops.max if largest else ops.min
    if mask is None:
        return reduce(x, axis=axis, keepdims=keepdims)
    wide = ops.cast(x, "uint8") if _dtype(x) == "bool" else x
    if _is_float(x):
        worst = -np.inf if largest else np.inf
    else:
        limits = np.iinfo(_dtype(wide))
        worst = limits.min if largest else limits.max
    real = ops.where(mask, wide, scalar(worst, wide))
    if 0 in x.shape:  # Keras has no maximum of nothing; all rows are empty
        reduce = ops.sum
    result = reduce(real, axis=axis, keepdims=keepdims)
    return _fill_empty(result, mask, axis, keepdims, empty_value, _dtype(x))


def masked_logsumexp(
    x: Tensor,
    mask: Tensor | None = None,
    axis: Axis = 1,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Logarithm of the sum of the exponentials of real steps.

    The largest real value is taken out first, `m + log(sum(exp(x - m)))`, so
    the result is right for values of any size.

    Args:
        x: Float tensor, such as `(batch, steps, features)`.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        axis: The axis or axes to reduce. Defaults to 1, the steps.
        keepdims: Whether to keep the reduced axes with size 1.
        empty_value: The result where there is no real step. The limit of the
            formula is `-inf`; the default is the finite 0.

    Returns:
        Tensor of the dtype of `x`, or of `keras.config.floatx()` for integers.

    Example:

    >>> x = np.array([[1000.0, 1000.0, np.nan]], "float32")
    >>> y = keras_masking.ops.masked_logsumexp(x, np.array([[1, 1, 0]]))
    >>> round(float(y[0]), 3)
    1000.693
    """
    x, mask, axis = _read("masked_logsumexp", x, mask, axis)
    x = _as_float(x)
    real = _wide(x)
    if mask is not None:
        real = ops.where(mask, real, _no_step(mask, axis, real))
    result = ops.logsumexp(real, axis=axis, keepdims=keepdims)
    return _fill_empty(result, mask, axis, keepdims, empty_value, _dtype(x))


def masked_softmax(
    x: Tensor, mask: Tensor | None = None, axis: Axis = 1
) -> Tensor:
    """Softmax over real steps: they sum to 1, padding steps are exactly 0.

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
    x, mask, axis = _read("masked_softmax", x, mask, axis)
    x = _as_float(x)
    real = _wide(x)
    if mask is not None:
        real = ops.where(mask, real, _no_step(mask, axis, real))
    if isinstance(axis, int) and x.shape[axis] == 1:
        axis = (axis,)  # Keras warns of an int: one step alone is no mistake
    weights = ops.softmax(real, axis=axis)
    if mask is not None:
        weights = ops.where(mask, weights, scalar(0, weights))
    return ops.cast(weights, _dtype(x))


def _no_step(mask: Tensor, axis: Axis, x: Tensor) -> Tensor:
    # What an exponential sees at a padding step: -inf, whose exponential is 0;
    # but 0 in an empty row, where -inf everywhere would make NaN.
    row = any_real(mask, axis, keepdims=True)
    return ops.where(row, scalar(-np.inf, x), scalar(0, x))
