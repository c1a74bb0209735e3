"""Changes of the padding, and runs of the model that try them."""

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from typing import Any

import numpy as np

from keras_masking import array_compare
from keras_masking.errors import first_words
from keras_masking.inspector.measuring.regions import Masks
from keras_masking.inspector.measuring.regions import as_mask
from keras_masking.inspector.watching import inputs as padding
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.runs import Run
from keras_masking.inspector.watching.runs import run
from keras_masking.inspector.watching.watch import Call
from keras_masking.inspector.watching.watch import Slot

RIGHT = f"{padding.MORE} more padding steps on the right"
LEFT = f"{padding.MORE} more padding steps on the left"
TRIMMED = "without the padding that all rows share"
VALUES = "other values at padding steps"
MADE_OF_VALUES = "the mask is made from these values"


@dataclass(eq=False)
class Change:
    """One change of the padding, and the run that tried it."""

    what: str
    counts: bool = True
    run: Run | None = None
    masks: Masks | None = None
    why_not: str = ""

    @property
    def length(self) -> bool:
        """Whether it changes the number of steps."""
        return self.what != VALUES


def find_padding(inputs: Inputs, base: Run, masks: Masks) -> Inputs:
    """The inputs, with the mask that applies to each.

    A mask applies to an input that carries it, or from which a layer makes it;
    otherwise if it is the only mask with as many steps.
    """
    found: list[np.ndarray | None] = [m for m in inputs.masks]
    for call in base.root.walk():
        made = [as_mask(s) for s in call.outputs]
        if call.children or not made or made[0] is None:
            continue
        if any(s.mask is not None for s in call.inputs):
            continue
        for slot in call.inputs:
            for i, x in enumerate(inputs.leaves):
                if found[i] is None and _is(slot.tensor, x, made[0]):
                    found[i] = made[0]
    for i, x in enumerate(inputs.leaves):
        if found[i] is None and x.ndim > 1:
            mask = masks.get(x.shape[1])
            if mask is not None and mask.shape == x.shape[:2]:
                found[i] = mask
    return replace(inputs, padding=tuple(found))


def _is(tensor: Any, x: np.ndarray, mask: np.ndarray) -> bool:
    if tuple(tensor.shape) != x.shape or mask.shape != x.shape[: mask.ndim]:
        return False
    return bool(
        np.array_equal(array_compare.as_array(tensor), x, equal_nan=True)
    )


def sides(inputs: Inputs) -> tuple[bool, bool]:
    """Whether rows have padding on the left, and whether on the right."""
    left = right = False
    for mask in inputs.padding:
        if mask is not None:
            steps = padding.flat(mask)
            some = steps[steps.any(axis=1)]
            left = left or not some[:, 0].all()
            right = right or not some[:, -1].all()
    return left, right


def with_more_padding(
    model: Any, inputs: Inputs, base: Run, side: str, training: bool
) -> Change:
    """More padding on one side, if the model treats it as padding."""
    left, right = sides(inputs)
    counts = left if side == "left" else right or not left
    change = Change(LEFT if side == "left" else RIGHT, counts)
    if not inputs.steps:
        change.why_not = "it is not known which inputs have padding"
        return change
    if fixed(model, inputs):
        change.why_not = "the model takes a fixed number of steps"
        return change
    for fill in (0.0, np.nan):
        tried = run(model, padding.longer(inputs, side, fill), training)
        if _is_padding(base, tried, side):
            change.run = tried
            if tried.error is not None:
                change.why_not = refused(tried.error)
            return change
        if tried.error is not None and change.why_not == "":
            change.why_not = refused(tried.error)
        floats = (x.dtype.kind == "f" for x in inputs.leaves)
        if not has_no_padding(inputs) or not any(floats):
            break
    change.why_not = change.why_not or "the model does not mask the added steps"
    return change


def fixed(model: Any, inputs: Inputs) -> bool:
    """Whether the signature of a model fixes the number of steps."""
    shapes = [tuple(x.shape) for x in getattr(model, "inputs", None) or []]
    return any(len(shape) > 1 and shape[1] in inputs.steps for shape in shapes)


def refused(error: Exception) -> str:
    return f"it raised {type(error).__name__}: {first_words(error)}"


def has_no_padding(inputs: Inputs) -> bool:
    """Whether the batch has no padding at all."""
    return all(m is None or bool(m.all()) for m in inputs.padding)


def _is_padding(base: Run, tried: Run, side: str) -> bool:
    """Whether the new masks mark the added steps as padding."""
    seen = False
    for call, twin in pairs(base, tried):
        for a, b in _new_masks(call, twin):
            one, other = as_mask(a), as_mask(b)
            if one is None or other is None or one.shape == other.shape:
                continue
            steps = one.shape[1]
            rest = other[:, :-steps] if side == "left" else other[:, steps:]
            if rest.any():
                return False
            seen = True
    return seen


def _new_masks(call: Call, twin: Call) -> list[tuple[Slot, Slot]]:
    """Where masks come in: carried by inputs, passed explicitly, or made."""
    given = list(zip(call.inputs, twin.inputs))
    if call.parent is None:
        return given
    if any(slot.mask is not None for slot in call.inputs):
        return [(a, b) for a, b in given if a.mask is not a.carried]
    return list(zip(call.outputs, twin.outputs))


def pairs(base: Run, tried: Run) -> Iterator[tuple[Call, Call]]:
    """The calls that both runs made, in the order of the first."""
    for call in base.root.walk():
        twin = tried.by_key.get(call.key)
        if (
            twin is not None
            and len(call.inputs) == len(twin.inputs)
            and len(call.outputs) == len(twin.outputs)
        ):
            yield call, twin


def same_masks(base: Run, tried: Run) -> bool:
    """Whether a run with other values made the same masks."""
    for call, twin in pairs(base, tried):
        slots = zip(
            (*call.inputs, *call.outputs), (*twin.inputs, *twin.outputs)
        )
        for a, b in slots:
            one, other = as_mask(a), as_mask(b)
            if one is None or other is None:
                if one is not other:
                    return False
            elif not np.array_equal(one, other):
                return False
    return len(base.by_key) == len(tried.by_key)


def _values_make_masks(inputs: Inputs, base: Run) -> bool:
    """Whether each padded input is the only input of the call that masks it."""
    makers = [
        (call.inputs[0].tensor, as_mask(call.outputs[0]))
        for call in base.root.walk()
        if call.parent
        and len(call.inputs) == 1
        and len(call.outputs) == 1
        and call.inputs[0].mask is None
    ]
    padded = [
        (x, mask)
        for x, mask in zip(inputs.leaves, inputs.padding)
        if mask is not None and not mask.all()
    ]
    return all(
        any(m is not None and _is(tensor, x, m) for tensor, m in makers)
        for x, mask in padded
    )


def other_changes(
    model: Any, inputs: Inputs, base: Run, training: bool
) -> Iterator[Change]:
    """The changes other than more padding on the right."""
    if not training:
        yield with_more_padding(model, inputs, base, "left", training)
        less = padding.trimmed(inputs)
        if less is not None:
            change = Change(TRIMMED, True)
            change.run = run(model, less, training)
            if change.run.error is not None:
                change.why_not = refused(change.run.error)
            yield change
    change = Change(VALUES, True)
    filled = padding.refilled(inputs)
    if filled is None:
        change.why_not = "no padding of the inputs is known"
    elif _values_make_masks(inputs, base):
        change.why_not = MADE_OF_VALUES
    else:
        tried = run(model, filled, training)
        if tried.error is not None:
            change.why_not = refused(tried.error)
        elif not same_masks(base, tried):
            change.why_not = MADE_OF_VALUES
        else:
            change.run = tried
    yield change
