"""Softmax over real steps, and the logarithm of its sum.

The rules of `reductions` hold here as well.
"""

import numpy as np
from keras import ops

from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import as_float
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import wide
from keras_masking.ops.one_pass import no_step
from keras_masking.ops.one_pass import real_softmax
from keras_masking.ops.reading import read_reduced
from keras_masking.ops.reductions import fill_empty


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
    x, mask, axis = read_reduced("masked_logsumexp", x, mask, axis)
    x = as_float(x)
    real = wide(x)
    if mask is not None:
        real = ops.where(mask, real, no_step(mask, axis, real))
    result = ops.logsumexp(real, axis=axis, keepdims=keepdims)
    how = axis, keepdims, empty_value, dtype_name(x)
    return fill_empty(result, mask, *how, given=np.nan)


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
    x, mask, axis = read_reduced("masked_softmax", x, mask, axis)
    x = as_float(x)
    if isinstance(axis, int) and x.shape[axis] == 1:
        # Keras warns of an int, though one step alone is no mistake, and fails
        # on a negative axis in a tuple.
        axis = (axis % len(x.shape),)
    if mask is None:
        weights = ops.softmax(wide(x), axis=axis)
    else:
        weights = real_softmax(wide(x), mask, axis)
    return ops.cast(weights, dtype_name(x))
