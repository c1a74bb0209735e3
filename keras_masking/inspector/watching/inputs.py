"""The inputs of a model as NumPy arrays, and changes of their padding."""

from dataclasses import dataclass
from dataclasses import replace
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
MORE = 12  # padding steps: a multiple of the usual strides


@dataclass(frozen=True)
class Inputs:
    """The leaves of a model's inputs.

    `masks` are those that the tensors carry; `padding` has the mask that
    applies to each leaf, wherever it is made, once that is known.
    """

    structure: Any
    leaves: tuple[np.ndarray, ...]
    masks: tuple[Mask, ...]
    padding: tuple[Mask, ...] = ()

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
    return Inputs(shape, tuple(leaves), tuple(masks))


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


def longer(inputs: Inputs, side: str, fill: float = 0.0) -> Inputs:
    """The same with `MORE` more padding steps that look like the others.

    In a leaf without padding, they hold `fill`; in a leaf without a mask but
    with as many steps, the value at its end.
    """
    width = (0, MORE) if side == "right" else (MORE, 0)
    leaves = []
    for x, padding in zip(inputs.leaves, inputs.padding):
        if padding is not None:
            leaves.append(_pad(x, _looks(x, padding, fill), width))
        elif x.ndim > 1 and x.shape[1] in inputs.steps:
            rest = [(0, 0)] * (x.ndim - 2)
            leaves.append(np.pad(x, [(0, 0), width, *rest], mode="edge"))
        else:
            leaves.append(x)
    return replace(
        inputs,
        leaves=tuple(leaves),
        masks=tuple(_wider(m, width) for m in inputs.masks),
        padding=tuple(_wider(m, width) for m in inputs.padding),
    )


def _wider(mask: Mask, width: tuple[int, int]) -> Mask:
    if mask is None:
        return None
    return np.pad(mask, [(0, 0), width, *[(0, 0)] * (mask.ndim - 2)])


def flat(mask: np.ndarray) -> np.ndarray:
    """The mask of steps from one with more axes, such as words in sentences."""
    steps: np.ndarray = mask.reshape(*mask.shape[:2], -1).max(axis=2)
    return steps


def _looks(x: np.ndarray, padding: np.ndarray, fill: float) -> np.ndarray:
    """What a padding step of each row looks like."""
    steps = flat(padding)
    rows = np.full((x.shape[0], *x.shape[2:]), fill).astype(x.dtype)
    somewhere = np.argwhere(~steps)
    for row in range(len(rows)):
        own = np.flatnonzero(~steps[row])
        if own.size:
            rows[row] = x[row, own[-1]]
        elif somewhere.size:
            rows[row] = x[tuple(somewhere[0])]
    return rows


def _pad(x: np.ndarray, rows: np.ndarray, width: tuple[int, int]) -> np.ndarray:
    before, after = (np.repeat(rows[:, None], n, axis=1) for n in width)
    return np.concatenate([before, x, after], axis=1)


def trimmed(inputs: Inputs) -> Inputs | None:
    """The same without the padding steps that all rows share; None if none."""
    spare: dict[int, np.ndarray] = {}
    for mask in inputs.padding:
        if mask is not None:
            used = flat(mask).max(axis=0)
            spare[len(used)] = spare.get(len(used), np.zeros_like(used)) | used
    if all(used.all() for used in spare.values()):
        return None
    if not all(used.any() for used in spare.values()):
        return None

    def cut(x: Any) -> Any:
        used = None if x is None or x.ndim < 2 else spare.get(x.shape[1])
        return x if used is None else x[:, used]

    return replace(
        inputs,
        leaves=tuple(map(cut, inputs.leaves)),
        masks=tuple(map(cut, inputs.masks)),
        padding=tuple(map(cut, inputs.padding)),
    )


def refilled(inputs: Inputs) -> Inputs | None:
    """The same with other values at padding steps; None without padding."""
    leaves = [
        x if mask is None or _is_mask(x, mask) else other_padding(x, mask)
        for x, mask in zip(inputs.leaves, inputs.padding)
    ]
    if all(a is b for a, b in zip(leaves, inputs.leaves)):
        return None
    return replace(inputs, leaves=tuple(leaves))


def _is_mask(x: np.ndarray, mask: np.ndarray) -> bool:
    """Whether a leaf is the mask itself, as numbers."""
    return x.shape == mask.shape and np.array_equal(x, mask)


def other_padding(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """`x` with other values where `mask` is False; `x` itself if none is.

    Floats become large, with both signs, so that a maximum and a mean move;
    integers become ids of real steps.
    """
    if mask.all() or x.dtype.kind == "b":
        return x
    real = array_compare.spread(mask, x.ndim)
    rng = np.random.default_rng(0)
    if x.dtype.kind in "iu":
        ids = _real_ids(x, real)
        other = rng.choice(ids, x.shape) if ids.size else x
    else:
        size = 8.0 + 2.0 * array_compare.magnitude(x)
        other = rng.choice([-size, size], x.shape)
    return np.where(real, x, other.astype(x.dtype))


def _real_ids(x: np.ndarray, real: np.ndarray) -> np.ndarray:
    return np.unique(x[np.broadcast_to(real, x.shape)])


def other_steps(inputs: Inputs) -> Inputs:
    """The same with other values at real steps."""
    rng = np.random.default_rng(0)
    leaves = []
    for x, mask in zip(inputs.leaves, inputs.padding):
        if mask is None or x.dtype.kind == "b" or _is_mask(x, mask):
            leaves.append(x)
            continue
        real = array_compare.spread(mask, x.ndim)
        if x.dtype.kind in "iu":
            ids = _real_ids(x, real)
            other = (
                ids[(np.searchsorted(ids, x) + 1) % len(ids)] if ids.size else x
            )
        else:
            other = x + rng.normal(size=x.shape).astype(x.dtype)
        leaves.append(np.where(real, other, x))
    return replace(inputs, leaves=tuple(leaves))
