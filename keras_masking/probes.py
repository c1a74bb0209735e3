"""Runs a layer on masked tensors and looks at what comes out.

Shared by the contract and the inspector. It reads and writes masks as Keras
does, on the tensor objects, and turns everything into NumPy.
"""

import inspect
import re
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking import __version__
from keras_masking._keras import get_mask
from keras_masking._keras import set_mask
from keras_masking._types import Tensor
from keras_masking.ops.dtypes import dtype_name

# Allowed error, relative to the largest value: some 100 roundings.
TOLERANCE = {
    "float64": 1e-12,
    "float32": 2e-5,
    "float16": 1e-2,
    "bfloat16": 8e-2,
}


@dataclass(frozen=True)
class Seen:
    """What one call gave: outputs and their masks, flattened, as NumPy."""

    outputs: list[np.ndarray]
    masks: list[np.ndarray | None]
    dtypes: list[str]


def fresh(x: np.ndarray) -> Tensor:
    """A tensor of the backend that shares no memory with `x`.

    Copied and cast by NumPy: JAX would compile a program for each shape, for
    a conversion that names no dtype as well. It has no 64 bits to name.
    """
    x = np.array(x)
    named = x.dtype.kind in "biuf" and x.dtype.itemsize < 8
    return ops.convert_to_tensor(x, dtype=x.dtype.name if named else None)


def attach(x: np.ndarray, mask: np.ndarray | None) -> Tensor:
    """A fresh tensor of the backend that carries `mask`."""
    tensor = fresh(x)
    if mask is not None:
        set_mask(tensor, fresh(mask))
    return tensor


def spread(mask: np.ndarray, ndim: int) -> np.ndarray:
    """A mask with axes of one behind its own, so that it goes with `ndim`."""
    return mask.reshape(mask.shape + (1,) * (ndim - mask.ndim))


def as_array(x: Tensor) -> np.ndarray:
    """A tensor as NumPy; half precision as float32, which NumPy can count."""
    x = np.asarray(ops.convert_to_numpy(x))
    return x.astype("float32") if x.dtype.name.endswith("float16") else x


def look(outputs: Any) -> Seen:
    """Reads outputs and the masks that they carry."""
    leaves = [x for x in keras.tree.flatten(outputs) if hasattr(x, "shape")]
    masks = [get_mask(x) for x in leaves]
    return Seen(
        [as_array(x) for x in leaves],
        [None if m is None else as_array(m) for m in masks],
        [dtype_name(x) for x in leaves],
    )


def versions() -> dict[str, str]:
    """The versions of this package, of Keras, and of its backend."""
    backend = keras.backend.backend()
    return {
        "keras_masking": __version__,
        "keras": keras.__version__,
        backend: _version(backend),
    }


def _version(backend: str) -> str:
    for name in (backend, f"{backend}-cpu"):
        try:
            return version(name)
        except Exception:
            continue
    return "unknown"


def magnitude(x: np.ndarray) -> float:
    """The largest finite value, without its sign."""
    finite = np.abs(x[np.isfinite(x)]) if x.dtype.kind == "f" else np.abs(x)
    return float(finite.max()) if finite.size else 0.0


def differences(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far two arrays are apart, place by place.

    NaN beside NaN is equal, and so is an infinity beside itself; NaN beside
    anything else is infinitely far.
    """
    x, y = x.astype("float64"), y.astype("float64")
    with np.errstate(invalid="ignore"):
        gaps = np.abs(x - y)
    alike = (np.isnan(x) & np.isnan(y)) | (x == y)
    return np.where(alike, 0.0, np.where(np.isnan(gaps), np.inf, gaps))


def first_words(error: Exception) -> str:
    """The first line of what an error says, without Keras' own around it."""
    # A KeyError says what it says as Python would write it down.
    key = isinstance(error, KeyError) and error.args
    text = str(error.args[0] if key else error)
    text = re.sub(r"\x1b\[\d*m", "", text)
    lines = text.split("Exception encountered: ")[-1].splitlines()
    said = [s.strip() for s in lines if s.strip()]
    told = [s for s in said if not s.startswith("Exception encountered")]
    return (told or said or ["(no message)"])[0]


def mask_parameters(layer: Any) -> list[str]:
    """The parameters of `call` that are named like masks."""
    names = inspect.signature(layer.call).parameters
    return [name for name in names if names_a_mask(name)]


def names_a_mask(name: str) -> bool:
    """Whether an argument of `call` is meant for a mask."""
    return name == "mask" or name.endswith("_mask")


@contextmanager
def watched(
    layer: Any, seen: Callable[[dict[str, Any]], None]
) -> Iterator[None]:
    """Tells `seen` the arguments of each `call` of `layer`, while it lasts."""
    call = layer.call
    signature = inspect.signature(call)

    def spy(*args: Any, **kwargs: Any) -> Any:
        seen(dict(signature.bind(*args, **kwargs).arguments))
        return call(*args, **kwargs)

    object.__setattr__(layer, "call", spy)
    try:
        yield
    finally:
        layer.__dict__.pop("call", None)


def masks_received(arguments: dict[str, Any]) -> set[str]:
    """The arguments of a `call` that are named like masks and were filled."""
    return {
        name
        for name, value in arguments.items()
        if names_a_mask(name)
        and any(hasattr(leaf, "shape") for leaf in keras.tree.flatten(value))
    }
