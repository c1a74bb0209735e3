"""Sums, means and maxima over the real steps of each window.

The windows are those of `keras.ops.max_pool`, with one exception. In Keras the
left padding of strided `"same"` windows depends on the length of the padded
batch. Here it is always `max(window_size - strides, 0) // 2`, which agrees with
Keras if `strides` divides the number of steps.
"""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from keras_masking._arguments import is_whole
from keras_masking._backends import is_torch_tensor
from keras_masking._backends import new_axis
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.dtypes import as_float
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import largest_float
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.dtypes import zero_unless
from keras_masking.ops.known import is_symbol
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.reading import read_steps
from keras_masking.ops.windows import check_long_enough
from keras_masking.ops.windows import check_window


def window_sum(
    x: Tensor,
    mask: Tensor | None = None,
    window_size: int = 2,
    strides: int = 1,
    padding: str = "valid",
    empty_value: float = 0.0,
) -> Tensor:
    """Sum over the real steps of each window.

    Args:
        x: Tensor of shape `(batch, steps, features)`.
        mask: True at real steps, `(batch, steps)`. Defaults to all real.
        window_size: Steps in a window.
        strides: Steps from one window to the next.
        padding: `"valid"` or `"same"`.
        empty_value: The result of a window without a real step.

    Returns:
        Tensor of shape `(batch, windows, features)`, of the dtype of `x`, or of
        `keras.config.floatx()` for integers. Sums accumulate in float32 at
        least; a sum that the dtype of `x` cannot represent overflows.

    Example:

    >>> x = np.array([[[1.0], [2.0], [3.0], [np.nan]]], "float32")
    >>> y = keras_masking.ops.window_sum(x, np.array([[1, 1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [3.0, 5.0, 3.0]
    """
    how = window_size, strides, padding
    x, mask = _read("window_sum", x, mask, *how)
    total = _mean_of_all(x, mask, *how) * window_size
    return _fill_empty(ops.cast(total, dtype_name(x)), mask, *how, empty_value)


def window_mean(
    x: Tensor,
    mask: Tensor | None = None,
    window_size: int = 2,
    strides: int = 1,
    padding: str = "valid",
    empty_value: float = 0.0,
) -> Tensor:
    """Mean over the real steps of each window: their sum over their number.

    Args:
        x: Tensor of shape `(batch, steps, features)`.
        mask: True at real steps, `(batch, steps)`. Defaults to all real.
        window_size: Steps in a window.
        strides: Steps from one window to the next.
        padding: `"valid"` or `"same"`.
        empty_value: The result of a window without a real step.

    Returns:
        Tensor of shape `(batch, windows, features)`, of the dtype of `x`, or
        of `keras.config.floatx()` for integers.

    Example:

    >>> x = np.array([[[1.0], [2.0], [3.0], [np.nan]]], "float32")
    >>> y = keras_masking.ops.window_mean(x, np.array([[1, 1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [1.5, 2.5, 3.0]
    """
    how = window_size, strides, padding
    x, mask = _read("window_mean", x, mask, *how)
    y = real_window_mean(x, mask, *how)
    return _fill_empty(y, mask, *how, empty_value)


def window_max(
    x: Tensor,
    mask: Tensor | None = None,
    window_size: int = 2,
    strides: int = 1,
    padding: str = "valid",
    empty_value: float = 0.0,
) -> Tensor:
    """Maximum over the real steps of each window.

    Args:
        x: Tensor of shape `(batch, steps, features)`.
        mask: True at real steps, `(batch, steps)`. Defaults to all real.
        window_size: Steps in a window.
        strides: Steps from one window to the next.
        padding: `"valid"` or `"same"`.
        empty_value: The result of a window without a real step.

    Returns:
        Tensor of shape `(batch, windows, features)`, of the dtype of `x`, or
        of `keras.config.floatx()` for integers.

    Example:

    >>> x = np.array([[[-1.0], [-2.0], [-3.0], [0.0]]], "float32")
    >>> y = keras_masking.ops.window_max(x, np.array([[1, 1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [-1.0, -2.0, -3.0]
    """
    how = window_size, strides, padding
    x, mask = _read("window_max", x, mask, *how)
    y = real_window_max(x, mask, *how)
    return _fill_empty(y, mask, *how, empty_value)


def real_window_mean(
    x: Tensor, mask: Tensor | None, window_size: int, strides: int, padding: str
) -> Tensor:
    """Like `window_mean`, but 0 for a window without a real step."""
    how = window_size, strides, padding
    x = as_float(x)
    mean = _mean_of_all(x, mask, *how)
    if mask is not None or padding == "same":
        counted = unchecked_full_mask(x) if mask is None else mask
        count = ops.cast(window_count(counted, *how), dtype_name(mean))
        mean = mean * new_axis(window_size / ops.maximum(count, 1), 2)
    return ops.cast(mean, dtype_name(x))


def real_window_max(
    x: Tensor, mask: Tensor | None, window_size: int, strides: int, padding: str
) -> Tensor:
    """Like `window_max`, but `-inf` for a window without a real step."""
    x = as_float(x)
    real, lowest = x, _lowest(x)
    if mask is not None:
        real = ops.where(new_axis(mask, 2), x, scalar(lowest, x))
    real = _spread(real, window_size, strides, padding, fill=lowest)
    return _slide(ops.max_pool, real, window_size, strides)


def _lowest(x: Tensor) -> float:
    """What a maximum of no steps is."""
    # TensorFlow's maximum of infinities is finite. tf2onnx, which multiplies by
    # 0 what is not selected, needs that.
    finite = keras.backend.backend() == "tensorflow"
    return -largest_float(x) if finite else -np.inf


def window_count(
    mask: Tensor, window_size: int, strides: int = 1, padding: str = "valid"
) -> Tensor:
    """The number of real steps in each window, as int32."""
    # Pooled like `x`: for JAX two formulas of an unknown length are two
    # lengths.
    real = new_axis(ops.cast(mask, "float32"), 2)
    real = _spread(real, window_size, strides, padding)
    share = _slide(ops.average_pool, real, window_size, strides)[..., 0]
    return ops.cast(ops.round(share * window_size), "int32")


def _read(
    caller: str,
    x: Tensor,
    mask: Tensor | None,
    window_size: int,
    strides: int,
    padding: str,
) -> tuple[Tensor, Tensor | None]:
    name = f"`{caller}`"
    check_window(
        name,
        padding,
        ("valid", "same"),
        window_size=window_size,
        strides=strides,
    )
    x, mask = read_steps(caller, x, mask)
    if len(x.shape) != 3:
        raise ValueError(
            describe(
                name,
                "`x` must have shape (batch, steps, features).",
                "Reshape it with `keras.ops.reshape`.",
                **{"x.shape": tuple(x.shape)},
            )
        )
    check_long_enough(name, x.shape[1], window_size, padding)
    return as_float(x), mask


def _spread(
    x: Tensor, window_size: int, strides: int, padding: str, fill: float = 0
) -> Tensor:
    """`x` with the padding that `"same"` windows need."""
    if padding == "valid":
        return x
    left = max(window_size - strides, 0) // 2
    around = [(0, 0)] * len(x.shape)
    around[1] = (left, window_size - 1 - left)
    return ops.pad(x, around, constant_values=fill)


def _mean_of_all(
    x: Tensor,
    mask: Tensor | None,
    window_size: int,
    strides: int,
    padding: str,
) -> Tensor:
    """Mean over each whole window, with padding steps as 0."""
    real = x if mask is None else zero_unless(new_axis(mask, 2), x)
    real = _spread(upcast_half(real), window_size, strides, padding)
    return _slide(ops.average_pool, real, window_size, strides)


def _slide(
    pool: Callable[..., Tensor], x: Tensor, window_size: int, strides: int
) -> Tensor:
    # On an empty tensor torch raises, and TensorFlow divides an integer by 0,
    # which ends the process.
    steps = x.shape[1]
    if 0 in x.shape or (is_whole(steps) and steps < window_size):
        return x[:, window_size - 1 :: strides]
    if not (is_torch_tensor(x) and is_symbol(steps)):
        return pool(x, window_size, strides, "valid", "channels_last")
    # PyTorch exports a maximum along one axis for a single length.
    sizes = (window_size, 1), (strides, 1)
    return ops.squeeze(
        pool(new_axis(x, 2), *sizes, "valid", "channels_last"), 2
    )


def _fill_empty(
    y: Tensor,
    mask: Tensor | None,
    window_size: int,
    strides: int,
    padding: str,
    empty_value: float,
) -> Tensor:
    if mask is not None:
        some = window_count(mask, window_size, strides, padding) > 0
        y = ops.where(new_axis(some, 2), y, scalar(empty_value, y))
    return y
