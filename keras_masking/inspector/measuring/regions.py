"""Which values of a tensor are real, and how far two tensors differ there."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_masking import array_compare
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.runs import Run
from keras_masking.inspector.watching.watch import Call
from keras_masking.inspector.watching.watch import Slot
from keras_masking.ops.dtypes import dtype_name

# The mask for each number of steps; None if there are several.
Masks = dict[int, np.ndarray | None]
Moved = tuple[float, float]  # the largest difference, and relative to all
LOOSER = 5  # rounding adds up through a model


def masks_of(run: Run, inputs: Inputs | None = None) -> Masks:
    """The masks of a run by number of steps; newly made masks come first.

    Among them are those that were passed or guessed for its inputs.
    """
    found: Masks = {}
    later: list[np.ndarray] = []
    for call in run.root.walk():
        given = [as_mask(s) for s in call.inputs]
        made = [as_mask(s) for s in call.outputs]
        first = call is run.root or all(m is None for m in given)
        for mask in (*given, *([] if call is run.root else made)):
            if mask is None or mask.ndim != 2:
                continue
            steps = mask.shape[1]
            if not first:
                later.append(mask)
            elif steps not in found:
                found[steps] = mask
            elif not _same(found[steps], mask):
                found[steps] = None
    for mask in later:
        found.setdefault(mask.shape[1], mask)
    said: Masks = {}
    for mask in inputs.said if inputs else ():
        steps = mask.shape[1]
        if not _same(said.setdefault(steps, mask), mask):
            said[steps] = None
    return said | found


def as_mask(slot: Slot) -> np.ndarray | None:
    return None if slot.mask is None else array_compare.as_array(slot.mask) != 0


def _same(a: np.ndarray | None, b: np.ndarray) -> bool:
    return a is not None and np.array_equal(a, b)


def find_axes(run: Run, other: Run | None, masks: Masks) -> None:
    """Sets in each slot which of its axes are steps.

    These are the axes that differ in a run with more or less padding. Without
    such a run, it is axis 1, if there is a mask, or if it is as long as a
    sequence.
    """
    find_own(run.root)
    found = {} if other is None else other.by_key
    for call in run.root.walk():
        twin = found.get(call.key)
        known = {s.shape[1] for s in call.inputs if len(s.shape) > 1}
        grown = next(
            (
                b.shape[1] - a.shape[1]
                for a, b in zip(call.inputs, twin.inputs if twin else ())
                if a.mask is not None and len(b.shape) > 1
            ),
            0,
        )
        for name in ("inputs", "outputs"):
            slots = getattr(call, name)
            twins = getattr(twin, name) if twin else []
            if len(twins) != len(slots):
                twins = [None] * len(slots)
            for slot, wide in zip(slots, twins):
                slot.axes = _axes(slot, wide, masks, known)
                if wide is not None and name == "outputs" and slot.axes == (1,):
                    _remember(call, slot, wide, grown, masks)


def and_masks(masks: Iterable[np.ndarray | None]) -> np.ndarray | None:
    """The AND of all masks; None if there is none, or shapes differ."""
    found = [mask for mask in masks if mask is not None]
    fit = len({mask.shape for mask in found}) == 1
    return np.logical_and.reduce(found) if fit else None


def find_own(call: Call, found: dict[int, np.ndarray] | None = None) -> None:
    """Sets in each slot without a mask the one that it should have.

    This is the AND of the masks of all inputs of the call that made it, if it
    has their steps.
    """
    found = {} if found is None else found
    for slot in call.inputs:
        slot.own = found.get(id(slot.tensor))
    for child in call.children:
        find_own(child, found)
    masks = [
        slot.own if slot.mask is None else as_mask(slot) for slot in call.inputs
    ]
    mask = and_masks(masks)
    for slot in call.outputs:
        if mask is not None and mask.shape == slot.shape[: mask.ndim]:
            slot.own = mask
            found.setdefault(id(slot.tensor), mask)


def _remember(
    call: Call, slot: Slot, wide: Slot, grown: int, masks: Masks
) -> None:
    """Finds the mask of an unmasked output with a new number of steps.

    For rows padded on the right: as many steps as the row alone would give,
    from how the output grows if the input grows by `grown` steps.
    """
    given = next((m for m in map(as_mask, call.inputs) if m is not None), None)
    steps = slot.shape[1]
    if slot.mask is not None or steps in masks:
        return
    if given is None or given.ndim != 2 or not grown:
        return
    lengths = given.sum(axis=1)
    prefix = np.arange(given.shape[1]) < lengths[:, None]
    if np.array_equal(given, prefix):
        slope = (wide.shape[1] - steps) / grown
        count = np.floor(steps - slope * (given.shape[1] - lengths))
        masks[steps] = np.arange(steps) < count[:, None]


def _axes(
    slot: Slot, wide: Slot | None, masks: Masks, known: set[int]
) -> tuple[int, ...]:
    shape = slot.shape
    if wide is None or len(wide.shape) != len(shape):
        if len(shape) < 2 or slot.mask is not None:
            return (1,) if slot.mask is not None else ()
        integers = "int" in dtype_name(slot.tensor)
        long = shape[1] in masks and (len(shape) > 2 or integers)
        return (1,) if long else ()
    pairs = enumerate(zip(shape, wide.shape))
    axes = tuple(axis for axis, (a, b) in pairs if a != b)
    if (
        len(shape) == 2
        and slot.mask is None
        and shape[1] not in known | {*masks}
    ):
        return ()  # steps that became features
    if not axes and slot.mask is not None:
        return (1,)  # as many in every row, such as the slots of a packed one
    return axes


def sequence_numbers(mask: np.ndarray) -> np.ndarray:
    """Numbers the runs of real steps of each row from 1; 0 at padding."""
    before = np.pad(mask[:, :-1], [(0, 0), (1, 0)])
    return np.asarray(np.cumsum(mask & ~before, axis=1) * mask)


def _every_second(mask: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """The steps of the first, third, fifth, ... sequence of each row.

    Or their slots, behind a pooling that gives one for each of `runs`.
    """
    slots = np.arange(mask.shape[1]) + 1
    are_slots = (mask == (slots <= runs[:, None])).all(axis=1, keepdims=True)
    numbers = np.where(are_slots, slots, sequence_numbers(mask))
    return np.asarray(mask & (numbers % 2 == 1))


def real(
    slot: Slot, masks: Masks, runs: np.ndarray | None = None
) -> np.ndarray | None:
    """True where the tensor is real; None if unknown.

    With `runs`, in every second sequence of a row alone.
    """
    shape = slot.shape
    if slot.axes is None or 0 in slot.axes:
        return None
    where = np.ones(shape, bool)
    mask = as_mask(slot)
    for axis in slot.axes:
        at = mask if axis == 1 and mask is not None else None
        if at is None and axis == 1:
            at = slot.own
        if at is None:
            at = masks.get(shape[axis])
        if at is None or at.shape[0] != shape[0]:
            return None
        if runs is not None:
            if at.ndim != 2:
                return None
            at = _every_second(at, runs)
        if axis == 1:
            if at.shape != shape[: at.ndim]:
                return None
            where &= array_compare.spread(at, len(shape))
        elif at.ndim == 2:
            spread = [shape[0], *[1] * (len(shape) - 1)]
            spread[axis] = shape[axis]
            where &= at.reshape(spread)
    return where


def moved(
    one: Slot,
    masks: Masks,
    other: Slot,
    others: Masks,
    also: Any = None,
    rows: list[int] | None = None,
    runs: np.ndarray | None = None,
) -> Moved | None:
    """How far two tensors differ where they are real; None if unknown.

    `also` narrows down where, `rows` which rows are compared, and `runs` which
    sequences of a row.
    """
    here, there = real(one, masks, runs), real(other, others, runs)
    if here is None or there is None or len(here) != len(there):
        return None
    if also is not None:
        here, there = here & also, there & also
    if rows is not None and max(rows) >= len(here):
        return None
    wanted = list(range(len(here))) if rows is None else rows
    if not here[wanted].any():
        return None  # nothing was compared
    x, y = (
        array_compare.as_array(one.tensor),
        array_compare.as_array(other.tensor),
    )
    size, worst = max(array_compare.magnitude(x[here]), 1e-3), 0.0
    for row in wanted:
        a, b = x[row][here[row]], y[row][there[row]]
        if a.shape != b.shape:
            return math.inf, math.inf
        if a.size:
            worst = max(worst, float(array_compare.differences(a, b).max()))
    return worst, worst / size


def allowed(slot: Slot) -> float:
    """The relative difference that rounding may make in one call."""
    return array_compare.TOLERANCE.get(dtype_name(slot.tensor), 0.0)


def calls_moved(
    first: list[Slot],
    masks: Masks,
    second: list[Slot],
    others: Masks,
    rows: list[int] | None = None,
    runs: np.ndarray | None = None,
) -> bool:
    """Whether any tensor moved; if unknown, it counts as not moved."""
    for one, other in zip(first, second):
        if one.idle:
            continue
        gap = moved(one, masks, other, others, rows=rows, runs=runs)
        if gap is not None and gap[1] > LOOSER * allowed(one):
            return True
    return False
