"""The inputs of a model as NumPy arrays."""

from dataclasses import dataclass
from typing import Any
from typing import NoReturn

import keras
import numpy as np
from keras import KerasTensor

from keras_masking import array_compare
from keras_masking import layer_calls
from keras_masking._keras import get_mask
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.names import did_you_mean

Mask = np.ndarray | None


@dataclass(frozen=True)
class Inputs:
    """The leaves of a model's inputs.

    `masks` are those that the tensors carry; `padding` has the mask that
    applies to each leaf, wherever it is made, once that is known. `sources`
    says where a leaf's padding was passed or guessed, and `values` has what was
    passed. The leaves `aside` have no steps.
    """

    structure: Any
    leaves: tuple[np.ndarray, ...]
    masks: tuple[Mask, ...]
    names: tuple[str, ...]
    padding: tuple[Mask, ...]
    sources: tuple[str, ...]
    values: tuple[float | None, ...]
    aside: frozenset[int] = frozenset()

    def tensors(self) -> list[Tensor]:
        """New tensors, each with its mask."""
        pairs = zip(self.leaves, self.masks)
        return [layer_calls.new_masked_tensor(x, mask) for x, mask in pairs]

    def pack(self, tensors: list[Tensor]) -> Any:
        """The tensors, and each `None`, in the structure of the inputs."""
        left = iter(tensors)
        there = keras.tree.flatten(self.structure)
        flat = [next(left) if one else None for one in there]
        return keras.tree.pack_sequence_as(self.structure, flat)

    @property
    def steps(self) -> set[int]:
        """The numbers of steps of the leaves that have a mask."""
        return {m.shape[1] for m in self.padding if m is not None}

    @property
    def said(self) -> list[np.ndarray]:
        """The masks of the leaves whose padding was passed or guessed."""
        pairs = zip(self.padding, self.sources)
        return [m for m, source in pairs if source and m is not None]


def read(inputs: Any, model: Any) -> Inputs:
    """Reads what a user passes, in the dtypes that the model expects."""
    leaves, masks = [], []
    for x in keras.tree.flatten(inputs):
        if x is None:
            continue
        array = _array(x)
        if array.dtype.kind == "f" and array.dtype.itemsize == 8:
            array = array.astype(keras.config.floatx())  # as `predict` does
        mask = get_mask(x)
        leaves.append(array)
        masks.append(
            None if mask is None else array_compare.as_array(mask) != 0
        )
    if not leaves or any(x.ndim == 0 or not len(x) for x in leaves):
        _refuse("a batch has at least one row.", [x.shape for x in leaves])
    dtypes = _expected_dtypes(inputs, model)
    if len(dtypes) == len(leaves):
        leaves = [x.astype(dtype) for x, dtype in zip(leaves, dtypes)]
    shape = keras.tree.map_structure(lambda x: x is not None, inputs)
    names = keras.tree.flatten(_named(inputs, ()))
    names = [n for n, x in zip(names, keras.tree.flatten(shape)) if x]
    tensors = getattr(model, "inputs", None) or []
    if not isinstance(inputs, dict) and len(tensors) == len(names):
        own = [x.name for x in tensors]  # Keras makes up those of other inputs
        names = [
            name if one.startswith("keras_tensor") else one
            for name, one in zip(names, own)
        ]
    count = len(leaves)
    return Inputs(
        shape,
        tuple(leaves),
        tuple(masks),
        tuple(names),
        padding=(None,) * count,
        sources=("",) * count,
        values=(None,) * count,
    )


def _named(inputs: Any, path: tuple[str, ...]) -> Any:
    """The keys and positions that lead to each leaf, in their structure."""
    if isinstance(inputs, dict):
        named = {k: _named(x, (*path, str(k))) for k, x in inputs.items()}
        return type(inputs)(named)
    if isinstance(inputs, (list, tuple)):
        return [_named(x, (*path, str(i))) for i, x in enumerate(inputs)]
    return "/".join(path) or "input"


def _array(x: Any) -> np.ndarray:
    if isinstance(x, KerasTensor):
        _refuse("inputs must have values.", "a symbolic tensor")
    if hasattr(x, "dtype") and not isinstance(x, np.ndarray):
        return array_compare.as_array(x)
    array = np.asarray(x)
    if array.dtype.kind not in "biuf":
        seen = type(x).__name__
        if isinstance(x, np.ndarray):
            seen = f"an array of dtype {array.dtype}"
        _refuse("inputs must be arrays or tensors of numbers.", seen)
    return array


def _refuse(rule: str, received: Any) -> NoReturn:
    raise ValueError(
        describe(
            "`inspect_masks`",
            rule,
            "Pass one batch of arrays, as to `predict_on_batch`; for text, "
            "the output of its `TextVectorization` or tokenizer.",
            inputs=received,
        )
    )


def _expected_dtypes(inputs: Any, model: Any) -> list[str]:
    """The dtypes that a model's signature has for its inputs, if it has one."""
    if isinstance(inputs, dict):
        signature = getattr(model, "input", None) if model.built else None
        if not isinstance(signature, dict):
            return []
        unknown = [str(k) for k in inputs if k not in signature]
        if unknown and (missing := signature.keys() - inputs.keys()):
            near = "".join(did_you_mean(k, missing, 0.5) for k in unknown)
            _refuse(f"the model's inputs are {list(signature)}.{near}", unknown)
        given = {k: signature[k].dtype for k in inputs if k in signature}
        return [] if len(given) < len(inputs) else keras.tree.flatten(given)
    return [x.dtype for x in getattr(model, "inputs", None) or []]


def is_mask(x: np.ndarray, mask: np.ndarray) -> bool:
    """Whether a leaf is the mask itself, as numbers, or its opposite."""
    return x.shape == mask.shape and (
        np.array_equal(x, mask) or np.array_equal(x, ~mask)
    )
