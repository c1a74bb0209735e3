"""Hypothesis strategies: masks, batches of ragged rows, the same batch twice.

For property tests of your own layers. Everything is NumPy. Requires the package
`hypothesis`.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st

HOSTILE = (0.0, 8.0, -8.0, 1e30, float("inf"), float("-inf"), float("nan"))


@st.composite
def masks(
    draw: st.DrawFn,
    rows: int = 3,
    steps: int = 6,
    kinds: tuple[str, ...] = ("right", "left", "holes"),
    empty_rows: bool = True,
) -> Any:
    """Boolean masks `(rows, steps)`, True at real steps.

    Args:
        draw: Passed by hypothesis.
        rows: Number of rows.
        steps: Number of steps.
        kinds: Where the padding is: `"right"`, `"left"`, `"holes"`.
        empty_rows: Whether a row may have no real step.
    """
    kind = draw(st.sampled_from(kinds))
    least = 0 if empty_rows else min(1, steps)
    if kind == "holes":
        bits = st.lists(st.booleans(), min_size=steps, max_size=steps)
        if not empty_rows:
            bits = bits.filter(any)
        return np.array([draw(bits) for _ in range(rows)], bool).reshape(
            rows, steps
        )
    lengths = draw(
        st.lists(st.integers(least, steps), min_size=rows, max_size=rows)
    )
    right = np.arange(steps)[None, :] < np.array(lengths)[:, None]
    return right if kind == "right" else right[:, ::-1].copy()


@st.composite
def ragged_batches(
    draw: st.DrawFn,
    rows: int = 3,
    features: int = 4,
    max_steps: int = 6,
    min_steps: int = 1,
) -> list[np.ndarray]:
    """Lists of sequences `(steps, features)` of different lengths, float32."""
    values = st.floats(-100, 100, width=32)
    batch = []
    for _ in range(rows):
        steps = draw(st.integers(min_steps, max_steps))
        size = steps * features
        numbers = draw(st.lists(values, min_size=size, max_size=size))
        batch.append(np.array(numbers, "float32").reshape(steps, features))
    return batch


def pad(
    rows: list[np.ndarray], steps: int, side: str, value: float
) -> tuple[np.ndarray, np.ndarray]:
    """A padded batch of ragged rows, and its mask."""
    shape = (len(rows), steps, *rows[0].shape[1:])
    x = np.full(shape, value, rows[0].dtype)
    mask = np.zeros((len(rows), steps), bool)
    for i, row in enumerate(rows):
        start = 0 if side == "right" else steps - len(row)
        x[i, start : start + len(row)] = row
        mask[i, start : start + len(row)] = True
    return x, mask


@st.composite
def padded_pairs(
    draw: st.DrawFn, /, hostile: bool = True, **shape: Any
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The same sequences padded in two ways: `(x, mask), (x, mask)`.

    Side, length and values of the padding differ; a layer that keeps the
    contract returns the same real outputs for both.

    Args:
        draw: Passed by hypothesis.
        hostile: Whether the second padding may hold NaN and infinities.
        **shape: Arguments of `ragged_batches`.
    """
    rows = draw(ragged_batches(**shape))
    longest = max(len(row) for row in rows)
    first = pad(rows, longest, "right", 0.0)
    more = draw(st.integers(0, 5))
    side = draw(st.sampled_from(("right", "left")))
    value = draw(st.sampled_from(HOSTILE if hostile else HOSTILE[:3]))
    return first, pad(rows, longest + more, side, value)
