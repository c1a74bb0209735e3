"""Changes of the inputs of a model: more, less or other padding."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_masking import array_compare
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.inputs import Mask
from keras_masking.inspector.watching.inputs import is_mask

MORE = 12  # padding steps: a multiple of the usual strides


def longer(inputs: Inputs, side: str, fill: float = 0.0) -> Inputs:
    """The same with `MORE` more padding steps that look like the others.

    In a leaf without padding, they hold `fill`; in a leaf without a mask but
    with as many steps, the value at its end.
    """
    width = (0, MORE) if side == "right" else (MORE, 0)
    leaves = []
    aside = inputs.aside
    places = zip(inputs.leaves, inputs.padding, inputs.values)
    for i, (x, padding, value) in enumerate(places):
        if padding is not None:
            given = fill if value is None else value
            leaves.append(_pad(x, _looks(x, padding, given), width))
        elif x.ndim > 1 and x.shape[1] in inputs.steps and i not in aside:
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
    """The same without the padding at the ends that all rows share.

    None if there is none. A hole between real steps stays.
    """
    spare: dict[int, np.ndarray] = {}
    for mask in inputs.padding:
        if mask is not None:
            used = flat(mask).max(axis=0)
            spare[len(used)] = spare.get(len(used), np.zeros_like(used)) | used
    if not all(used.any() for used in spare.values()):
        return None
    ends = {n: np.flatnonzero(used)[[0, -1]] for n, used in spare.items()}
    if all(end - start == n - 1 for n, (start, end) in ends.items()):
        return None

    def cut(place: int, x: Any) -> Any:
        if x is None or x.ndim < 2 or place in inputs.aside:
            return x
        start, end = ends.get(x.shape[1], (0, x.shape[1]))
        return x[:, start : end + 1]

    def all_cut(those: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(cut(place, x) for place, x in enumerate(those))

    return replace(
        inputs,
        leaves=all_cut(inputs.leaves),
        masks=all_cut(inputs.masks),
        padding=all_cut(inputs.padding),
    )


def only_rows(inputs: Inputs, rows: list[int]) -> Inputs:
    """The same with these rows, in this order; a row may be repeated."""

    def take(those: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(None if x is None else x[rows] for x in those)

    return replace(
        inputs,
        leaves=take(inputs.leaves),
        masks=take(inputs.masks),
        padding=take(inputs.padding),
    )


def refilled(inputs: Inputs) -> Inputs | None:
    """The same with other values at padding steps; None if none can be.

    Values that alone say where padding is stay.
    """
    leaves = [
        x
        if mask is None or is_mask(x, mask) or _says_it(inputs, i)
        else other_padding(x, mask)
        for i, (x, mask) in enumerate(zip(inputs.leaves, inputs.padding))
    ]
    if all(a is b for a, b in zip(leaves, inputs.leaves)):
        return None
    return replace(inputs, leaves=tuple(leaves))


def _says_it(inputs: Inputs, place: int) -> bool:
    """Whether only a leaf's own values say where its padding is."""
    mask = inputs.padding[place]
    if mask is None or not inputs.sources[place]:
        return False
    others = [x for i, x in enumerate(inputs.leaves) if i != place]
    return not any(is_mask(x, mask) or are_lengths(x, mask) for x in others)


def are_lengths(x: np.ndarray, mask: np.ndarray) -> bool:
    """Whether a leaf has the number of real steps of each row."""
    steps = flat(mask).sum(axis=1)
    return x.size == len(steps) and np.array_equal(x.reshape(-1), steps)


def same_padding(inputs: Inputs) -> bool:
    """Whether what was passed or guessed says what padding steps hold.

    Then other values are no padding.
    """
    return any(
        source and mask is not None and len(np.unique(x[~mask])) == 1
        for x, mask, source in zip(
            inputs.leaves, inputs.padding, inputs.sources
        )
        if mask is not None and not is_mask(x, mask)
    )


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
        if mask is None or x.dtype.kind == "b" or is_mask(x, mask):
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
