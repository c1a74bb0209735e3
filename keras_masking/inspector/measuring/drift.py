"""Measures how far the outputs of a model move with the padding."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_masking import array_compare
from keras_masking.inspector.measuring.changes import Change
from keras_masking.inspector.measuring.changes import pairs
from keras_masking.inspector.measuring.regions import LOOSER
from keras_masking.inspector.measuring.regions import Masks
from keras_masking.inspector.measuring.regions import Moved
from keras_masking.inspector.measuring.regions import allowed
from keras_masking.inspector.measuring.regions import calls_moved
from keras_masking.inspector.measuring.regions import find_own
from keras_masking.inspector.measuring.regions import masks_of
from keras_masking.inspector.measuring.regions import moved
from keras_masking.inspector.measuring.regions import real
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.mask_flow import Flows
from keras_masking.inspector.watching.runs import Run
from keras_masking.inspector.watching.runs import run
from keras_masking.inspector.watching.watch import Call
from keras_masking.inspector.watching.watch import Slot

# On JAX a gather beyond the end of a table gives NaN; elsewhere it raises.
BEYOND = "it gives NaN, for example since a table of positions is too short"


@dataclass(eq=False)
class Outcome:
    """What a change of the padding did to the model's real outputs.

    Attributes:
        change: The change.
        moved: How far they moved; None if not measured.
        starts: The call where that starts; None if it is only rounding.
        by_code: Whether its inputs move already, because of code before it.
    """

    change: Change
    moved: Moved | None = None
    starts: Call | None = None
    by_code: bool = False

    @property
    def counts(self) -> bool:
        """Whether the model is wrong for padding like that of its inputs."""
        return self.starts is not None and self.change.counts


def outcomes_of(
    model: Any,
    inputs: Inputs,
    base: Run,
    masks: Masks,
    changes: list[Change],
    training: bool,
    flows: Flows,
) -> list[Outcome]:
    """The outcome of each change."""
    found = [Outcome(c, compare(base, masks, c)) for c in changes]
    moving = [o for o in found if o.moved and significant(base, o.moved[1])]
    if moving and not repeats(model, inputs, base, masks, training, True):
        # With the same seeds, the random numbers are the same.
        same = repeats(model, inputs, base, masks, training, False)
        for outcome in moving:
            if outcome.change.length or not same:
                outcome.moved = None
                outcome.change.why_not = "the model draws random numbers"
    for outcome in moving:
        if outcome.moved is not None:
            start = _start(base, masks, outcome.change, set(flows))
            outcome.starts, outcome.by_code = start
    return found


def compare(
    base: Run, masks: Masks, change: Change
) -> tuple[float, float] | None:
    """How far the model's real outputs moved; None if unknown."""
    if change.why_not or change.run is None:
        return None
    tried = change.run
    change.masks = masks_of(tried, change.inputs)
    axes_of(base, change)
    both = list(zip(base.root.outputs, tried.root.outputs))
    if change.more and any(
        _has_nan(b, change.masks) and not _has_nan(a, masks) for a, b in both
    ):
        change.why_not = BEYOND
        return None
    where: Any = {"rows": change.rows, "runs": change.runs}
    gaps = [moved(a, masks, b, change.masks, **where) for a, b in both]
    known = [gap for gap in gaps if gap is not None]
    if not known:
        change.why_not = "it is unknown which of its outputs are real"
        return None
    return max(g[0] for g in known), max(g[1] for g in known)


def farthest(base: Run, masks: Masks, change: Change) -> tuple[int, int] | None:
    """The output and the row that moved most; None if unknown."""
    assert change.run is not None and change.masks is not None  # noqa: S101
    found = [
        (gap[0], -i, -row)
        for i, (a, b) in enumerate(
            zip(base.root.outputs, change.run.root.outputs)
        )
        for row in change.rows or range(a.shape[0])
        if (gap := moved(a, masks, b, change.masks, rows=[row])) is not None
    ]
    if not found:
        return None
    _, i, row = max(found)
    return -i, -row


def _has_nan(slot: Slot, masks: Masks) -> bool:
    x, where = array_compare.as_array(slot.tensor), real(slot, masks)
    bad = x.dtype.kind == "f" and np.isnan(x)
    return bool(np.any(bad if where is None else bad & where))


def axes_of(base: Run, change: Change) -> None:
    """Sets which axes are steps in a changed run, as in the base run."""
    tried = change.run
    assert tried is not None  # noqa: S101
    find_own(tried.root)
    for call, twin in pairs(base, tried):
        both = zip((*call.inputs, *call.outputs), (*twin.inputs, *twin.outputs))
        for known, slot in both:
            slot.axes = known.axes


def repeats(
    model: Any,
    inputs: Inputs,
    base: Run,
    masks: Masks,
    training: bool,
    other_seeds: bool,
) -> bool:
    """Whether the model gives the same numbers when it runs again."""
    tried = run(model, inputs, training, other_seeds)
    gap = compare(base, masks, Change("the same", run=tried, inputs=inputs))
    return gap is None or not significant(base, gap[1])


def significant(base: Run, relative: float) -> bool:
    """Whether a model's outputs moved by more than rounding."""
    limits = [allowed(slot) for slot in base.root.outputs]
    return relative > LOOSER * max(limits, default=0.0)


def _start(
    base: Run, masks: Masks, change: Change, known: set[Call]
) -> tuple[Call, bool]:
    """The first call whose real outputs moved although its inputs did not.

    The innermost such call, and False. If there is none, the first call whose
    inputs moved, and True: code before it caused that.
    """
    assert change.run is not None and change.masks is not None  # noqa: S101
    found, here = change.run.by_key, base.root
    where: Any = {"rows": change.rows, "runs": change.runs}
    while True:
        first_in = None
        for call in here.children:
            twin = found.get(call.key)
            if twin is None or call not in known:
                continue
            pair = (call.inputs, masks, twin.inputs, change.masks)
            if calls_moved(*pair, **where):
                first_in = first_in or call
                continue
            pair = (call.outputs, masks, twin.outputs, change.masks)
            if calls_moved(*pair, **where):
                here = call
                break
        else:
            if here is not base.root or first_in is None:
                return here, False
            return first_in, True


def moved_by_length(
    call: Call, masks: Masks, change: Change, flows: Flows
) -> bool:
    """Whether more padding moved a call's outputs and not its inputs."""
    if change.run is None or change.masks is None or flows[call].lost:
        return False
    twin = change.run.by_key.get(call.key)
    if twin is None or all(slot.mask is None for slot in call.inputs):
        return False
    pair = (call.inputs, masks, twin.inputs, change.masks)
    if calls_moved(*pair, rows=change.rows):
        return False
    pair = (call.outputs, masks, twin.outputs, change.masks)
    return calls_moved(*pair, rows=change.rows)
