"""What a report would need to call a model clean, and could not measure."""

from typing import Any

from keras_masking.inspector.data import OutputRecord
from keras_masking.inspector.measuring.changes import OTHERS
from keras_masking.inspector.measuring.drift import Outcome
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.runs import Run

NO_STEPS = "No input has steps, so there is no padding that could do harm."
UNKNOWN = (
    "It is not known how the inputs are padded: no mask says so, and nothing "
    "could be guessed. Pass `padding=`, for example `padding={example}`: what "
    "padding steps hold, None for an input without steps."
)


def has_steps(model: Any, inputs: Inputs) -> bool:
    """Whether any input may be a sequence."""
    tensors = getattr(model, "inputs", None) or []
    known = len(tensors) == len(inputs.leaves)
    shapes = [tuple(x.shape) if known else None for x in tensors]
    shapes = shapes if known else [None] * len(inputs.leaves)
    return any(
        inputs.padding[i] is not None
        or (i not in inputs.aside and _may_be_steps(x, shapes[i]))
        for i, x in enumerate(inputs.leaves)
    )


def _may_be_steps(x: Any, shape: tuple[int | None, ...] | None) -> bool:
    """Whether axis 1 may be steps, by the shape in the model's signature."""
    if x.ndim < 2 or x.shape[1] < 2:
        return False
    if shape is not None and len(shape) > 1 and shape[1] is None:
        return True
    if x.ndim == 2:
        return x.dtype.kind != "f"
    return x.ndim == 3 or shape is None  # images have fixed sizes


def missing(
    given: Inputs,
    base: Run,
    outcomes: list[Outcome],
    outputs: list[OutputRecord],
    probe: bool,
    training: bool,
) -> list[str]:
    """What could not be measured, in sentences."""
    found = []
    if not any(measured(o) for o in outcomes):
        found.append(_unmeasured(given, outcomes, probe, training))
    found += [
        f"Whether the sequences of a row move each other: {o.change.why_not}."
        for o in outcomes
        if o.change.what == OTHERS and o.moved is None
    ]
    for slot, output in zip(base.root.outputs, outputs):
        if output.reached is False and (not slot.axes or 1 in slot.axes):
            found.append(
                f"The mask does not reach the output `{output.name}`, which "
                "has steps. If its targets are padded, the loss counts their "
                "padding: attach the mask again with "
                "`keras_masking.layers.AttachMask`, or pass weights."
            )
    return found


def measured(outcome: Outcome) -> bool:
    """Whether it shows what more or less padding of the given kind does."""
    change = outcome.change
    return change.counts and change.length and outcome.moved is not None


def _example(given: Inputs) -> str:
    """What to write for `padding`."""
    if not isinstance(given.structure, (dict, list, tuple)):
        return "0"
    name = given.names[0].split("/")[0]
    return f"{{{name if name.isdigit() else repr(name)}: 0}}"


def _unmeasured(
    given: Inputs, outcomes: list[Outcome], probe: bool, training: bool
) -> str:
    if not probe:
        return "With `probe=False` nothing is measured."
    if training:
        return (
            "In training mode the model is not run with more or less padding."
        )
    if not given.steps:
        return UNKNOWN.format(example=_example(given))
    reasons = [
        f"{o.change.what}: {o.change.why_not}"
        for o in outcomes
        if o.change.counts and o.change.length
    ]
    return f"More and less padding could not be tried: {'; '.join(reasons)}."
