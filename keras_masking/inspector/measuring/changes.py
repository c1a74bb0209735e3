"""Changes of the padding, and runs of the model that try them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_masking._keras import any_input_shape
from keras_masking._keras import with_sublayers
from keras_masking.errors import first_words
from keras_masking.inspector.measuring import changed_inputs as padding
from keras_masking.inspector.measuring.known_padding import has_no_padding
from keras_masking.inspector.measuring.known_padding import holds
from keras_masking.inspector.measuring.known_padding import sides
from keras_masking.inspector.measuring.regions import Masks
from keras_masking.inspector.measuring.regions import as_mask
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.runs import Run
from keras_masking.inspector.watching.runs import run
from keras_masking.inspector.watching.watch import Call
from keras_masking.inspector.watching.watch import Slot

RIGHT = f"{padding.MORE} more padding steps on the right"
LEFT = f"{padding.MORE} more padding steps on the left"
TRIMMED = "without the padding that all rows share"
VALUES = "other values at padding steps"
NAN = "NaN at padding steps"
OTHERS = "other values in the other sequences of a row"
MADE_OF_VALUES = "the mask is made from these values"
NOT_MASKED = "the model does not mask the added steps"
ALONE = 4  # at most so many kinds of rows are tried alone


@dataclass(eq=False)
class Change:
    """One change of the padding, and the run that tried it.

    `inputs` are those of the run, and `rows` the rows to compare, all by
    default. `runs` is the number of sequences of each row, if every second one
    has other values: then the others are compared.
    """

    what: str
    counts: bool = True
    run: Run | None = None
    inputs: Inputs | None = None
    rows: list[int] | None = None
    runs: np.ndarray | None = None
    masks: Masks | None = None
    why_not: str = ""

    @property
    def length(self) -> bool:
        """Whether it changes the number of steps."""
        return self.what not in (VALUES, NAN, OTHERS)

    @property
    def ran(self) -> bool:
        """Whether the model ran with another number of steps."""
        return self.length and self.run is not None and not self.run.error

    @property
    def more(self) -> bool:
        """Whether it adds padding steps."""
        return self.what in (RIGHT, LEFT)

    def try_out(self, model: Any, inputs: Inputs, training: bool) -> None:
        """Runs the model on the changed inputs."""
        self.inputs, self.run = inputs, run(model, inputs, training)
        if self.run.error is not None:
            self.why_not = refused(self.run.error)


def with_more_padding(
    model: Any, inputs: Inputs, base: Run, side: str, training: bool
) -> Change:
    """More padding on one side, if the model treats it as padding."""
    left, right = sides(inputs)
    counts = left if side == "left" else right or not left
    change = Change(LEFT if side == "left" else RIGHT, counts)
    if not inputs.steps:
        change.why_not = "it is not known how the inputs are padded"
        return change
    if side == "left" and any(
        padding.are_lengths(x, m) for x in inputs.leaves for m in inputs.said
    ):
        change.why_not = "the lengths count steps from the left"
        return change
    if fixed(model, inputs):
        change.why_not = "the model takes a fixed number of steps"
        return change
    for fill in (0.0, np.nan):
        tried = Change(change.what, counts)
        tried.try_out(model, padding.longer(inputs, side, fill), training)
        if _is_padding(base, tried, side):
            return tried
        change.why_not = change.why_not or tried.why_not
        floats = (x.dtype.kind == "f" for x in inputs.leaves)
        if not has_no_padding(inputs) or not any(floats):
            break
    change.why_not = change.why_not or NOT_MASKED
    return change


def with_less_padding(
    model: Any, inputs: Inputs, training: bool
) -> Iterator[Change]:
    """Each row alone, without the padding at its ends.

    It takes the place of all other rows too, since a model may fix their
    number. Rows with the same padding are tried together.
    """
    masks = [padding.flat(m) for m in inputs.padding if m is not None]
    if not masks:
        return
    steps = np.concatenate(masks, axis=1)
    alike: dict[bytes, list[int]] = {}
    for row in np.argsort(steps.sum(axis=1), kind="stable"):
        if all(mask[row].any() for mask in masks):
            alike.setdefault(steps[row].tobytes(), []).append(int(row))
    tried = 0
    for rows in alike.values():
        places = [row if row in rows else rows[0] for row in range(len(steps))]
        less = padding.trimmed(padding.only_rows(inputs, places))
        if less is None or tried == ALONE:
            continue
        tried += 1
        listed = ", ".join(map(str, sorted(rows)))
        which = f"row{'s' * (len(rows) > 1)} {listed}"
        change = Change(f"less padding ({which} alone)", rows=rows)
        with any_input_shape(with_sublayers(model)):
            change.try_out(model, less, training)
        yield change


def fixed(model: Any, inputs: Inputs) -> bool:
    """Whether the signature of a model fixes the number of steps."""
    shapes = [tuple(x.shape) for x in getattr(model, "inputs", None) or []]
    return any(len(shape) > 1 and shape[1] in inputs.steps for shape in shapes)


def refused(error: Exception) -> str:
    return f"it raised {type(error).__name__}: {first_words(error)}"


def _is_padding(base: Run, change: Change, side: str) -> bool:
    """Whether the new masks mark the added steps as padding."""
    assert change.run is not None and change.inputs is not None  # noqa: S101
    seen = bool(change.inputs.said)
    for call, twin in pairs(base, change.run):
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
        any(m is not None and holds(tensor, x, m) for tensor, m in makers)
        for x, mask in padded
    )


def changes_of(
    model: Any, inputs: Inputs, base: Run, training: bool
) -> Iterator[Change]:
    """More padding on each side, without what is shared, and other values."""
    if not training:
        yield with_more_padding(model, inputs, base, "right", training)
        yield with_more_padding(model, inputs, base, "left", training)
        less = padding.trimmed(inputs)
        if less is not None:
            change = Change(TRIMMED, True)
            change.try_out(model, less, training)
            yield change
    yield with_other_values(model, inputs, base, training)


def with_other_values(
    model: Any,
    inputs: Inputs,
    base: Run,
    training: bool,
    fill: float | None = None,
) -> Change:
    """Other values at padding steps, or NaN as `fill`, with the same masks."""
    what = VALUES if fill is None else NAN
    change = Change(what, not padding.same_padding(inputs))
    filled = padding.refilled(inputs, fill)
    if filled is None and has_no_padding(inputs):
        change.why_not = "no padding of the inputs is known"
    elif _values_make_masks(inputs, base) or (filled is None and fill is None):
        change.why_not = MADE_OF_VALUES
    elif filled is None:
        change.why_not = "no input with padding has floats"
    else:
        change.try_out(model, filled, training)
        tried = None if change.why_not else change.run
        if tried is not None and not same_masks(base, tried):
            change.why_not = MADE_OF_VALUES
    return change
