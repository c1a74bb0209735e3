"""Example inputs with padding, without Keras.

A `Batch` holds the flattened inputs of a layer, each with or without a mask.
All functions return a new batch.
"""

from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import numpy as np

Arrays = tuple[np.ndarray, ...]
Masks = tuple[np.ndarray | None, ...]


@dataclass(frozen=True)
class Batch:
    """The leaves of the inputs; those in `fixed` have rows but no steps."""

    leaves: Arrays
    masks: Masks
    fixed: Arrays = ()  # values of `call_kwargs` that have a row per sequence
    others: frozenset[int] = frozenset()  # leaves that get no mask

    @property
    def rows(self) -> int:
        return int(self.leaves[0].shape[0])

    @property
    def steps(self) -> int:
        """The number of steps of the first sequence."""
        return int(self.leaves[self.sequences[0]].shape[1])

    @property
    def sequences(self) -> list[int]:
        """The leaves with steps, by their position."""
        return [
            i
            for i, x in enumerate(self.leaves)
            if is_sequence(x) and i not in self.others
        ]

    @property
    def mask(self) -> np.ndarray | None:
        """The mask of the first masked leaf."""
        return next((m for m in self.masks if m is not None), None)

    @property
    def given(self) -> np.ndarray:
        """`mask`, for a batch that is known to have one."""
        return next(m for m in self.masks if m is not None)

    def key(self) -> tuple[Any, ...]:
        arrays = (*self.leaves, *self.masks, *self.fixed)
        return tuple(
            None if a is None else (a.shape, a.dtype.str, a.tobytes())
            for a in arrays
        )


def is_sequence(leaf: np.ndarray) -> bool:
    return leaf.ndim >= 2


def lengths(rows: int, steps: int) -> np.ndarray:
    """Row lengths from `steps` down to one; there is always some padding."""
    if rows == 1:
        return np.array([max(1, steps - 1)])
    return np.round(np.linspace(steps, 1, rows)).astype(int)


def make_masks(
    batch: Batch, kind: str = "right", staggered: bool = False
) -> Masks:
    """A mask for each leaf that has steps.

    The kinds are right, left, holes, full, nothing, and empty, which is right
    with an empty last row. If `staggered`, each leaf has one real step less
    than the one before.
    """
    return tuple(
        make_mask(leaf.shape[0], leaf.shape[1], kind, i * staggered)
        if i in batch.sequences
        else None
        for i, leaf in enumerate(batch.leaves)
    )


def make_mask(
    rows: int, steps: int, kind: str = "right", fewer: int = 0
) -> np.ndarray:
    count = np.maximum(lengths(rows, steps)[:, None] - fewer, 1)
    column = np.arange(steps)[None, :]
    mask = {
        "right": column < count,
        "left": column >= steps - count,
        "full": np.ones((rows, steps), bool),
        "nothing": np.zeros((rows, steps), bool),
    }
    if kind in mask:
        return np.ascontiguousarray(mask[kind])
    right = np.array(mask["right"])
    if kind == "empty":  # the last row has no real step
        right[-1] = False
        return right
    # Holes: a padding step between real ones where a row is long enough.
    holes = np.array(mask["full"])
    for row in range(rows):
        holes[row, (1 + row) % steps :: 3] = False
    holes[~holes.any(axis=1), 0] = True
    return holes


def with_masks(batch: Batch, kind: str) -> Batch:
    return replace(batch, masks=make_masks(batch, kind))


def without_masks(batch: Batch) -> Batch:
    return replace(batch, masks=(None,) * len(batch.leaves))


def is_float(leaf: np.ndarray) -> bool:
    return np.issubdtype(leaf.dtype, np.floating)


def fill(batch: Batch, value: float) -> Batch:
    """`value` at padding steps; for integers, an id from the example."""
    leaves = []
    for leaf, mask in zip(batch.leaves, batch.masks, strict=True):
        if mask is None:
            leaves.append(leaf)
            continue
        held = value if is_float(leaf) else _an_id(leaf, value)
        spread = mask.reshape(mask.shape + (1,) * (leaf.ndim - 2))
        leaves.append(np.where(spread, leaf, np.array(held, leaf.dtype)))
    return replace(batch, leaves=tuple(leaves))


def _an_id(leaf: np.ndarray, value: float) -> int:
    ids = np.unique(leaf)
    return int(ids[0] if value <= 0 else ids[-1])


def change_real(batch: Batch, rng: np.random.Generator) -> Batch:
    """Other values at real steps, the same at padding steps."""
    leaves = []
    for leaf, mask in zip(batch.leaves, batch.masks, strict=True):
        if mask is None:
            leaves.append(leaf)
            continue
        if is_float(leaf):
            other = leaf + rng.normal(scale=3.0, size=leaf.shape)
        else:
            ids = np.unique(leaf)
            other = ids[(np.searchsorted(ids, leaf) + 1) % len(ids)]
        spread = mask.reshape(mask.shape + (1,) * (leaf.ndim - 2))
        leaves.append(np.where(spread, other.astype(leaf.dtype), leaf))
    return replace(batch, leaves=tuple(leaves))


def pad(
    batch: Batch, more: int, side: str = "right", only: int | None = None
) -> Batch:
    """`more` padding steps for every masked leaf, or for one of them."""
    leaves, masks = [], []
    pairs = zip(batch.leaves, batch.masks, strict=True)
    for i, (leaf, mask) in enumerate(pairs):
        if mask is not None and only in (None, i):
            width = (0, more) if side == "right" else (more, 0)
            value = 8 if is_float(leaf) else _an_id(leaf, 1)
            rest = [(0, 0)] * (leaf.ndim - 2)
            leaf = np.pad(leaf, [(0, 0), width, *rest], constant_values=value)
            mask = np.pad(mask, [(0, 0), width])
        leaves.append(leaf)
        masks.append(mask)
    return replace(batch, leaves=tuple(leaves), masks=tuple(masks))


def reorder(batch: Batch, order: np.ndarray) -> Batch:
    """The steps of each row and their mask in that order, `(rows, steps)`."""

    def take(x: np.ndarray | None, masked: bool) -> np.ndarray | None:
        if x is None or not masked or x.shape[:2] != order.shape:
            return x
        index = order.reshape(order.shape + (1,) * (x.ndim - 2))
        return np.take_along_axis(x, index, axis=1)

    pairs = zip(batch.leaves, batch.masks, strict=True)
    leaves = [take(x, m is not None) for x, m in pairs]
    masks = [take(m, True) for m in batch.masks]
    return replace(
        batch,
        leaves=tuple(x for x in leaves if x is not None),
        masks=tuple(masks),
    )


def compact(batch: Batch) -> Batch:
    """The real steps of each row to the front, in their order."""
    return reorder(batch, np.argsort(~batch.given, axis=1, kind="stable"))


def alone(batch: Batch, row: int) -> Batch:
    """One row without its padding, and an all-True mask."""
    leaves, masks = [], []
    for leaf, mask in zip(batch.leaves, batch.masks, strict=True):
        leaf = leaf[row : row + 1]
        if mask is not None:
            leaf = leaf[:, mask[row]]
            mask = np.ones(leaf.shape[:2], bool)
        leaves.append(leaf)
        masks.append(mask)
    fixed = tuple(array[row : row + 1] for array in batch.fixed)
    return replace(batch, leaves=tuple(leaves), masks=tuple(masks), fixed=fixed)


def only_row(batch: Batch, row: int, other: Batch) -> Batch:
    """`row` of `batch` among the rows of `other`."""

    def take(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
        if a is None or b is None:
            return a
        mixed = b.copy()
        mixed[row] = a[row]
        return mixed

    pairs = zip(batch.leaves, other.leaves, strict=True)
    leaves = tuple(m for m in (take(a, b) for a, b in pairs) if m is not None)
    pairs_of_masks = zip(batch.masks, other.masks, strict=True)
    masks = tuple(take(a, b) for a, b in pairs_of_masks)
    return replace(batch, leaves=leaves, masks=masks)
