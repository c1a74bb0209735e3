"""How far the old and the new model move with the padding."""

from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import numpy as np

from keras_masking import array_compare
from keras_masking.inspector.measuring import changed_inputs as padding
from keras_masking.inspector.measuring.changes import LEFT
from keras_masking.inspector.measuring.changes import RIGHT
from keras_masking.inspector.measuring.changes import VALUES
from keras_masking.inspector.measuring.changes import fixed
from keras_masking.inspector.measuring.changes import refused
from keras_masking.inspector.measuring.known_padding import find_padding
from keras_masking.inspector.measuring.known_padding import has_no_padding
from keras_masking.inspector.measuring.known_padding import sides
from keras_masking.inspector.measuring.regions import LOOSER
from keras_masking.inspector.measuring.regions import Masks
from keras_masking.inspector.measuring.regions import allowed
from keras_masking.inspector.measuring.regions import as_mask
from keras_masking.inspector.measuring.regions import masks_of
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.inputs import read
from keras_masking.inspector.watching.padding import guess_padding
from keras_masking.inspector.watching.padding import pass_padding
from keras_masking.inspector.watching.runs import Run
from keras_masking.inspector.watching.runs import run


class Gap(NamedTuple):
    """How far real outputs differ.

    Attributes:
        largest: The largest difference of an output.
        counts: Whether it is more than rounding.
    """

    largest: float
    counts: bool


class Measured(NamedTuple):
    """What padding does to the old and the new model.

    Attributes:
        before: How far it moves the old model; None if not measured.
        after: How far it moves the new model; None if not measured.
        change: The change of the padding.
        apart: How far the models differ on rows without padding; None if
            there is none.
        why_not: Why it was not measured.
    """

    before: Gap | None = None
    after: Gap | None = None
    change: str = ""
    apart: Gap | None = None
    why_not: str = ""


def measure(old: Any, new: Any, inputs: Any, padded: Any = None) -> Measured:
    """Runs both models on the inputs, and on the same with other padding.

    `padded` is the argument `padding` of `convert`.
    """
    given = pass_padding(read(inputs, new), padded, inputs, new)
    base, before = run(new, given, False), run(old, given, False)
    for each in (base, before):
        if each.error is not None:
            return Measured(why_not=refused(each.error))
    given = guess_padding(find_padding(given, base, masks_of(base)))
    masks = masks_of(base, given)
    if all(mask is None for mask in given.padding):
        return Measured(why_not="it is not known how the inputs are padded")
    where = _real(base, masks)
    apart = _gap(before, where, base, where, _full_rows(given))
    why_not = "the inputs have no padding"
    found = []
    for change, changed, rows in _changes(new, given):
        tried, other = run(new, changed, False), run(old, changed, False)
        errors = [x.error for x in (tried, other) if x.error is not None]
        if errors:
            why_not = refused(errors[0])
            continue
        if not _stays_padding(changed, tried):
            why_not = f"with {change} the mask is another"
            continue
        there = _real(tried, masks_of(tried, changed))
        after = _gap(base, where, tried, there, rows)
        moved = _gap(before, where, other, there, rows)
        if after is None or moved is None:
            why_not = "it is unknown which of the outputs are real"
            continue
        # What says most: of the new model, else of the old.
        size = after.largest if after.counts else 0.0, moved.largest
        found.append((size, Measured(moved, after, change, apart)))
    if not found:
        return Measured(apart=apart, why_not=why_not)
    return max(found, key=lambda pair: pair[0])[1]


def _changes(model: Any, given: Inputs) -> Iterator[tuple[str, Inputs, Any]]:
    """Changes of the padding, and the rows that they keep."""
    left, right = sides(given)
    side = "left" if left and not right else "right"
    if not fixed(model, given):
        for fill in (0.0, np.nan) if has_no_padding(given) else (0.0,):
            more = padding.longer(given, side, fill)
            yield LEFT if side == "left" else RIGHT, more, None
        row = _shortest(given)
        alone = (
            None
            if row is None
            else padding.trimmed(padding.only_rows(given, [row]))
        )
        if alone is not None:
            yield f"row {row} without its padding", alone, [row]
    filled = padding.refilled(given)
    if filled is not None:
        yield VALUES, filled, None


def _stays_padding(changed: Inputs, tried: Run) -> bool:
    """Whether the model takes as padding what was meant to be."""
    found = find_padding(changed, tried, masks_of(tried)).padding
    pairs = zip(changed.padding, found)
    return all(
        meant is None or (seen is not None and np.array_equal(meant, seen))
        for meant, seen in pairs
    )


def _shortest(given: Inputs) -> int | None:
    """The row with the fewest real steps, but at least one."""
    mask = next(m for m in given.padding if m is not None)
    counts = padding.flat(mask).sum(axis=1)
    rows = np.flatnonzero(counts)
    return int(rows[counts[rows].argmin()]) if rows.size else None


def _full_rows(given: Inputs) -> list[int]:
    """The rows without padding in any input."""
    masks = [m for m in given.padding if m is not None]
    full = [m.reshape(len(m), -1).all(axis=1) for m in masks]
    return [int(row) for row in np.flatnonzero(np.logical_and.reduce(full))]


def _real(tried: Run, masks: Masks) -> list[np.ndarray | None]:
    """For each output of a model, which steps are real; None if it has none."""
    found = []
    for slot in tried.root.outputs:
        mask = as_mask(slot)
        if mask is None and len(slot.shape) > 2:
            mask = masks.get(slot.shape[1])
        fits = mask is not None and mask.shape == slot.shape[: mask.ndim]
        found.append(mask if fits else None)
    return found


def _gap(
    one: Run, here: Any, other: Run, there: Any, rows: list[int] | None
) -> Gap | None:
    """How far the outputs of two runs differ where they are real.

    `rows` are the rows to compare, which may be all that `other` has. None if
    it is unknown which steps are real.
    """
    largest, counts, known = 0.0, False, False
    slots = zip(one.root.outputs, here, other.root.outputs, there)
    for a, where, b, other_where in slots:
        x, y = (array_compare.as_array(s.tensor) for s in (a, b))
        wanted = range(len(x)) if rows is None else rows
        for row in wanted:
            twin = row if len(y) == len(x) else 0
            p = x[row] if where is None else x[row][where[row]]
            q = y[twin] if other_where is None else y[twin][other_where[twin]]
            if p.shape != q.shape:
                return None
            if p.size:
                known = True
                gap = float(array_compare.differences(p, q).max())
                size = max(array_compare.magnitude(x), 1e-3)
                largest = max(largest, gap)
                counts = counts or gap > LOOSER * allowed(a) * size
    return Gap(largest, counts) if known else None
