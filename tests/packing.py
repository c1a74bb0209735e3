"""Sequences packed into rows, and their places in them."""

import numpy as np

from tests.helpers import sample

# The sequences of each row, with the column where each starts.
PLACES = [[(0, 0), (1, 4), (2, 7)], [(3, 2), (4, 6)], []]
LENGTHS = [3, 2, 4, 3, 1]
STEPS, LONGEST, SEGMENTS = 11, 4, 3
SEQUENCES = np.concatenate([sample(LONGEST), sample(LONGEST, seed=1)])[:5]
LONE_MASK = np.arange(LONGEST) < np.array(LENGTHS)[:, None]


def pack(x: np.ndarray, gap: float = 0.0) -> np.ndarray:
    """Sequences `(5, 4, ...)` in three rows, with `gap` at padding."""
    rows = np.full((len(PLACES), STEPS, *x.shape[2:]), gap, x.dtype)
    for row, places in zip(rows, PLACES):
        for k, start in places:
            row[start : start + LENGTHS[k]] = x[k, : LENGTHS[k]]
    return rows


def unpack(y: np.ndarray) -> np.ndarray:
    """The sequences of rows, `(5, 4, ...)`, with 0 at padding."""
    x = np.zeros((len(LENGTHS), LONGEST, *y.shape[2:]), y.dtype)
    for row, places in zip(y, PLACES):
        for k, start in places:
            x[k, : LENGTHS[k]] = row[start : start + LENGTHS[k]]
    return x


MASK = pack(LONE_MASK)


def slots(y: np.ndarray) -> np.ndarray:
    """One value for each sequence, `(5, ...)`, in slots, `(3, 3, ...)`."""
    rows = np.zeros((len(PLACES), SEGMENTS, *y.shape[1:]), y.dtype)
    for row, places in zip(rows, PLACES):
        for slot, (k, _) in enumerate(places):
            row[slot] = y[k]
    return rows


SLOT_MASK = slots(np.ones(len(LENGTHS), bool))
