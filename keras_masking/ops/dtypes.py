"""Dtypes, and integer casts that do not wrap around."""

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._backends import are_torch_tensors
from keras_masking._keras import get_mask
from keras_masking._keras import set_mask
from keras_masking._selection import gains_by_bits
from keras_masking._selection import select_bits
from keras_masking._types import Tensor

# Prefixes of the dtypes whose values can be compared with 0.
NUMBERS = ("bool", "int", "uint", "float", "bfloat")
INT32 = np.iinfo("int32")


def dtype_name(x: Tensor) -> str:
    """The dtype of a tensor or array, or the type of anything else."""
    dtype = getattr(x, "dtype", None)
    return type(x).__name__ if dtype is None else _name(dtype)


@cache
def _name(dtype: Any) -> str:
    try:
        return str(keras.backend.standardize_dtype(dtype))
    except (ValueError, TypeError):
        return str(dtype)


def is_float(x: Tensor) -> bool:
    """Whether `x` holds floats, of any width."""
    return "float" in dtype_name(x)


def as_float(x: Tensor) -> Tensor:
    """Integers as `keras.config.floatx()`, floats as they are."""
    return x if is_float(x) else ops.cast(x, keras.config.floatx())


def upcast_half(x: Tensor) -> Tensor:
    """`x`, with half precision cast to float32 for accumulation."""
    return ops.cast(x, "float32") if dtype_name(x).endswith("float16") else x


def cast_to(x: Tensor, dtype: str) -> Tensor:
    """`x` as `dtype`: itself if it has that dtype."""
    return x if dtype_name(x) == dtype else ops.cast(x, dtype)


def wide_dtype(dtype: str) -> str:
    """The dtype in which to accumulate numbers of `dtype`."""
    return "float64" if dtype == "float64" else "float32"


def scalar(value: float, x: Tensor) -> Tensor:
    """`value` in the dtype of `x`, so that `where` keeps that dtype."""
    return ops.convert_to_tensor(value, dtype=dtype_name(x))


def zero_unless(real: Tensor, x: Tensor) -> Tensor:
    """`x` where `real`, else 0, in the dtype of `x`."""
    # A Python number, since making a tensor takes longer. Of its kind: jax2onnx
    # makes float64 of a float and an integer.
    if gains_by_bits(real, x):
        return select_bits(real, x)
    dtype = dtype_name(x)
    zero = False if dtype == "bool" else 0.0 if "float" in dtype else 0
    if are_torch_tensors(x, real):
        return x.where(real, zero)
    return ops.where(real, x, zero)


def select(real: Tensor, x: Tensor, other: Tensor) -> Tensor:
    """`x` where `real`, else `other`, of the dtype of `x` and no gradient."""
    if gains_by_bits(real, x):
        return select_bits(real, x, other)
    return ops.where(real, x, other)


def largest_float(x: Tensor) -> float:
    """The largest finite number of the dtype of `x`."""
    dtype = dtype_name(x)
    if dtype == "bfloat16":  # which NumPy does not know
        return (2 - 2.0**-7) * 2.0**127
    return float(np.finfo(dtype).max)


def zero_or_nan(ok: Tensor, dtype: str) -> Tensor:
    """0 where `ok`, else NaN.

    Not selected: tf2onnx writes a `where` as a sum of products, and a product
    of 0 and a NaN is one.
    """
    return ops.sqrt(ops.cast(ok, dtype) - 1)


def numpy_to_int32(x: Any) -> Any:
    """NumPy integers as int32, clipped to its largest value.

    JAX has no wider integers, and would wrap them around. Anything else is
    returned unchanged.
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu":
        return x
    own = np.iinfo(x.dtype)
    low, high = max(own.min, INT32.min), min(own.max, INT32.max)
    narrow = np.clip(x, low, high).astype("int32")
    mask = get_mask(x)  # on the NumPy backend an array may carry one
    if mask is not None:
        set_mask(narrow, mask)
    return narrow


def clip_to_int32(x: Tensor) -> Tensor:
    """Whole numbers as int32, clipped to its largest value.

    A plain cast would wrap around.
    """
    if isinstance(x, keras.KerasTensor):
        return ops.cast(x, "int32")
    x = ops.convert_to_tensor(numpy_to_int32(x))
    dtype = dtype_name(x)
    if dtype == "uint64":
        x = ops.cast(x, "int64")
        x = ops.where(x < 0, scalar(INT32.max, x), x)
    if dtype in ("int64", "uint64"):
        x = ops.clip(x, INT32.min, INT32.max)
    x = ops.cast(x, "int32")
    if dtype == "uint32":
        x = ops.where(x < 0, scalar(INT32.max, x), x)
    return x
