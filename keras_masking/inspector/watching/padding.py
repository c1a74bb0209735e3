"""How inputs are padded: as the user passed it, or guessed from their values.

Keras' own masks are not read here, see `measuring.changes.find_padding`.
"""

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any
from typing import NoReturn

import keras
import numpy as np

from keras_masking.errors import describe
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.inputs import is_mask
from keras_masking.names import did_you_mean

PASSED = "passed"
_UNSAID = object()


def pass_padding(
    inputs: Inputs, padding: Any, structure: Any, model: Any
) -> Inputs:
    """The inputs, with the padding that a user passes.

    A step is padding where every input of its rows and steps for which a value
    is passed holds that value. So the ids of a batch with a mask may hold the
    padding value at real steps.

    Args:
        inputs: The inputs, read.
        padding: The value of each input, in the structure of the inputs. Parts
            may be left out.
        structure: The inputs as the user passes them.
        model: The model, whose inputs have names.

    Raises:
        ValueError: If `padding` does not fit the inputs.
    """
    if padding is None:
        return inputs
    flat = keras.tree.flatten(structure)
    values = _values(padding, structure, model)
    values = [v for v, x in zip(values, flat) if x is not None]
    real: dict[tuple[int, ...], Any] = {}
    for x, name, value in zip(inputs.leaves, inputs.names, values):
        if value is _UNSAID or value is None:
            continue
        if x.ndim < 2:
            _refuse(
                "an input with padding has the shape (batch, steps, ...).",
                f"Leave `{name}` out, or pass None for it.",
                f"{value} for the shape {x.shape}",
            )
        other = ~np.isnan(x) if math.isnan(value) else x != value
        other = other.reshape(*x.shape[:2], -1).any(axis=2)
        real[x.shape[:2]] = real.get(x.shape[:2], False) | other
    said = [value is not _UNSAID and value is not None for value in values]
    return replace(
        inputs,
        padding=tuple(
            real[x.shape[:2]] if s else None
            for x, s in zip(inputs.leaves, said)
        ),
        values=tuple(v if s else None for v, s in zip(values, said)),
        sources=tuple(PASSED if s else "" for s in said),
        aside=frozenset(i for i, v in enumerate(values) if v is None),
    )


def _values(padding: Any, structure: Any, model: Any) -> list[Any]:
    """The value of each leaf of the inputs; `_UNSAID` if there is none."""
    tensors = [x.name for x in getattr(model, "inputs", None) or []]
    by_key = isinstance(structure, dict) and (
        not isinstance(padding, Mapping) or any(k in structure for k in padding)
    )
    flat = keras.tree.flatten(structure)
    named = isinstance(padding, Mapping) and all(
        isinstance(key, str) for key in padding
    )
    if named and not by_key and len(tensors) == len(flat):
        keys = list(structure) if isinstance(structure, dict) else []
        _require_known(padding, tensors, keys or tensors)
        return [_number(padding.get(name, _UNSAID)) for name in tensors]
    return list(keras.tree.flatten(_matched(padding, structure)))


def _matched(padding: Any, structure: Any) -> Any:
    """The values in the structure of the inputs."""
    if isinstance(structure, (dict, list, tuple)):
        keyed = isinstance(structure, dict)
        items: dict[Any, Any] = dict(
            structure if keyed else enumerate(structure)
        )
        if padding is _UNSAID:
            padding = {}
        elif not isinstance(padding, Mapping):
            same = isinstance(padding, Sequence) and not keyed
            if not same or len(padding) != len(items):
                _refuse(
                    "`padding` must have the structure of the inputs.",
                    f"Pass a dict with keys of {list(items)}.",
                    padding,
                )
            padding = dict(enumerate(padding))
        _require_known(padding, items, list(items))
        found = {
            key: _matched(padding.get(key, _UNSAID), value)
            for key, value in items.items()
        }
        return type(structure)(found) if keyed else list(found.values())
    return _number(padding)


def _number(value: Any) -> Any:
    if value is None or value is _UNSAID:
        return value
    if not isinstance(value, (Real, np.bool_)):
        _refuse(
            "the padding of an input is a number, NaN, or None for an input "
            "without steps.",
            "Pass the number that its padding steps hold.",
            repr(value),
        )
    return float(value)


def _require_known(
    padding: Mapping[Any, Any], known: Any, shown: list[Any]
) -> None:
    for key in padding:
        if key not in known:
            near = did_you_mean(str(key), map(str, shown))
            _refuse(
                "`padding` must name inputs of the model.",
                f"The inputs are {shown}.{near}",
                key,
            )


def _refuse(rule: str, fix: str, received: Any) -> NoReturn:
    raise ValueError(describe("`inspect_masks`", rule, fix, padding=received))


def guess_padding(inputs: Inputs) -> Inputs:
    """The inputs, with a guess where neither a mask nor a user says it.

    An input of as many rows and steps as a padded one is padded as well.
    Otherwise a mask among the inputs says it, or lengths, or NaN.
    """
    padding, sources = list(inputs.padding), list(inputs.sources)
    shapes = (x.shape[:2] for x in inputs.leaves if x.ndim > 1)
    for shape in dict.fromkeys(shapes):
        alike = [
            i
            for i, x in enumerate(inputs.leaves)
            if x.ndim > 1 and x.shape[:2] == shape and i not in inputs.aside
        ]
        unknown = [i for i in alike if padding[i] is None]
        said = [i for i in alike if sources[i]]
        if said:
            mask, source = padding[said[0]], inputs.names[said[0]]
        elif unknown != alike or not alike:
            continue  # Keras' masks say it, or there are no steps
        else:
            mask, source = _guess(inputs, alike)
        for i in unknown if mask is not None else ():
            own = inputs.names[i] == source
            padding[i] = mask
            sources[i] = f"guessed from {'itself' if own else f'`{source}`'}"
    return replace(inputs, padding=tuple(padding), sources=tuple(sources))


def _guess(inputs: Inputs, alike: list[int]) -> tuple[Any, str]:
    """The mask of the inputs `alike`, and the input that it is guessed from."""
    leaves, names = inputs.leaves, inputs.names
    masks = {i: _read_mask(inputs, alike, i) for i in alike}
    found = [i for i in alike if masks[i] is not None]
    found = [i for i in found if "mask" in names[i]] or found
    if found and all(np.array_equal(masks[found[0]], masks[i]) for i in found):
        return masks[found[0]], names[found[0]]
    for i in alike:
        x = leaves[i]
        if x.dtype.kind == "f":
            real = ~np.isnan(x).reshape(*x.shape[:2], -1).all(axis=2)
            if _ends(real):
                return real, names[i]
    steps = leaves[alike[0]].shape[1]
    for i, x in enumerate(leaves):
        if x.dtype.kind in "iu" and x.size == len(x):
            lengths = x.reshape(-1, 1)
            real = np.arange(steps) < lengths
            fits = bool(((lengths >= 0) & (lengths <= steps)).all())
            if fits and _ends(real) and _constant(leaves, alike, real):
                return real, names[i]
    return None, ""


def _read_mask(inputs: Inputs, alike: list[int], place: int) -> Any:
    """The mask that an input holds, or None.

    If others hold one value where it is 1, it is 1 at padding.
    """
    leaves, x = inputs.leaves, inputs.leaves[place]
    numbers = ((x == 0) | (x == 1)).all()
    if len(alike) < 2 or x.ndim != 2 or not numbers or not _ends(x != 0):
        return None
    if _constant(leaves, alike, x != 0):
        return x != 0
    if _constant(leaves, alike, x == 0):
        return x == 0
    named = x.dtype.kind == "b" or "mask" in inputs.names[place]
    # If it were 1 at padding, a row without padding would have no 1.
    return x != 0 if named and bool(x.any(axis=1).all()) else None


def _ends(real: np.ndarray) -> bool:
    """Whether padding is at one end of each row, and there is some."""
    if real.all() or not real.any():
        return False
    changes = (real[:, 1:] != real[:, :-1]).sum(axis=1)
    return bool((changes <= 1).all())


def _constant(leaves: Any, alike: list[int], real: np.ndarray) -> bool:
    """Whether an input has one value at all padding steps."""
    others = [leaves[i] for i in alike if not is_mask(leaves[i], real)]
    return any(len(np.unique(x[~real])) == 1 for x in others)
