"""Tensors as NumPy arrays, and differences of arrays."""

import numpy as np
from keras import ops

from keras_masking._types import Tensor

# Allowed error, relative to the largest value: about 100 roundings.
TOLERANCE = {
    "float64": 1e-12,
    "float32": 2e-5,
    "float16": 1e-2,
    "bfloat16": 8e-2,
}


def as_array(x: Tensor) -> np.ndarray:
    """A tensor as NumPy array; half precision becomes float32."""
    x = np.asarray(ops.convert_to_numpy(x))
    return x.astype("float32") if x.dtype.name.endswith("float16") else x


def spread(mask: np.ndarray, ndim: int) -> np.ndarray:
    """A mask with axes of size 1 after its own, up to `ndim` axes."""
    return mask.reshape(mask.shape + (1,) * (ndim - mask.ndim))


def magnitude(x: np.ndarray) -> float:
    """The largest absolute value that is finite."""
    finite = np.abs(x[np.isfinite(x)]) if x.dtype.kind == "f" else np.abs(x)
    return float(finite.max()) if finite.size else 0.0


def differences(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The absolute differences of two arrays.

    NaN equals NaN, and an infinity equals itself; the difference of NaN and
    anything else is infinite.
    """
    x, y = x.astype("float64"), y.astype("float64")
    with np.errstate(invalid="ignore"):
        gaps = np.abs(x - y)
    alike = (np.isnan(x) & np.isnan(y)) | (x == y)
    return np.where(alike, 0.0, np.where(np.isnan(gaps), np.inf, gaps))
