"""Makes masked tensors, watches calls of a layer, and reads its outputs.

Shared by the contract and the inspector. Masks are read and written as in
Keras, on the tensor objects; outputs become NumPy arrays.
"""

import inspect
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._keras import get_mask
from keras_masking._keras import set_mask
from keras_masking._types import Tensor
from keras_masking.array_compare import as_array
from keras_masking.ops.dtypes import dtype_name


@dataclass(frozen=True)
class CallOutputs:
    """The outputs of a call and their masks, flattened, as NumPy arrays."""

    outputs: list[np.ndarray]
    masks: list[np.ndarray | None]
    dtypes: list[str]


def new_tensor(x: np.ndarray) -> Tensor:
    """A tensor of the backend that shares no memory with `x`.

    NumPy copies and casts, because JAX would compile a program for each shape,
    also for a conversion without a dtype. JAX has no 64-bit dtypes to name.
    """
    x = np.array(x)
    named = x.dtype.kind in "biuf" and x.dtype.itemsize < 8
    return ops.convert_to_tensor(x, dtype=x.dtype.name if named else None)


def new_masked_tensor(x: np.ndarray, mask: np.ndarray | None) -> Tensor:
    """A new tensor of the backend that carries `mask`."""
    tensor = new_tensor(x)
    if mask is not None:
        set_mask(tensor, new_tensor(mask))
    return tensor


def read_outputs(outputs: Any) -> CallOutputs:
    """Reads outputs and the masks that they carry."""
    leaves = [x for x in keras.tree.flatten(outputs) if hasattr(x, "shape")]
    masks = [get_mask(x) for x in leaves]
    return CallOutputs(
        [as_array(x) for x in leaves],
        [None if m is None else as_array(m) for m in masks],
        [dtype_name(x) for x in leaves],
    )


def mask_parameters(layer: Any) -> list[str]:
    """The parameters of `call` for masks of steps, by their names.

    Flags such as `use_mask=True` are not among them, nor are attention masks,
    which callers make.
    """
    parameters = inspect.signature(layer.call).parameters
    return [
        name
        for name, parameter in parameters.items()
        if "mask" in name
        and not name.endswith("attention_mask")
        and parameter.default in (None, parameter.empty)
    ]


def names_a_mask(name: str) -> bool:
    """Whether an argument of `call` is meant for a mask."""
    return name == "mask" or name.endswith("_mask")


@contextmanager
def watch_calls(
    layer: Any, on_call: Callable[[dict[str, Any]], None]
) -> Iterator[None]:
    """Calls `on_call` with the arguments of each `call` of `layer`."""
    call = layer.call
    signature = inspect.signature(call)

    def spy(*args: Any, **kwargs: Any) -> Any:
        on_call(dict(signature.bind(*args, **kwargs).arguments))
        return call(*args, **kwargs)

    object.__setattr__(layer, "call", spy)
    try:
        yield
    finally:
        layer.__dict__.pop("call", None)


def masks_received(arguments: dict[str, Any]) -> set[str]:
    """The arguments of a `call` that are named like masks and hold a tensor."""
    return {
        name
        for name, value in arguments.items()
        if names_a_mask(name)
        and any(hasattr(leaf, "shape") for leaf in keras.tree.flatten(value))
    }
