"""Finds calls that hide real steps, measured like a leak.

A call of several sequences that gets the mask of one for another, such as a
cross attention with the mask of its target, does not see steps of the other one
that are real. A step that moves nothing is no proof: a maximum ignores steps
too. So the call must also have got a mask by which the step is padding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_masking import array_compare
from keras_masking.inspector.measuring.changed_inputs import other_padding
from keras_masking.inspector.measuring.regions import allowed
from keras_masking.inspector.watching.runs import Run
from keras_masking.inspector.watching.runs import call_again
from keras_masking.inspector.watching.runs import copy
from keras_masking.inspector.watching.watch import Call
from keras_masking.inspector.watching.watch import Slot
from keras_masking.layer_calls import names_a_mask


@dataclass(frozen=True)
class Hidden:
    """Real steps that move no output of a call.

    Attributes:
        call: The call.
        source: The place among its inputs of the sequence with these steps.
        target: The place of the input whose mask hides them.
        steps: Where they are, `(batch, steps)`.
    """

    call: Call
    source: int
    target: int
    steps: np.ndarray

    @property
    def reason(self) -> str:
        row, step = np.argwhere(self.steps)[0]
        return (
            f"Real steps of its input {self.source}, such as step {step} of "
            f"row {row}, move none of its outputs: it got the mask of its "
            f"input {self.target} for them."
        )


def hidden_steps(base: Run) -> list[Hidden]:
    """The innermost calls that hide real steps of an input."""
    calls = [call for call in base.root.walk() if call is not base.root]
    found: list[Hidden] = []
    for call in reversed(calls):  # inner calls come after outer ones
        if any(one.call.within(call) for one in found):
            continue
        tried = _suspects(call)
        hiding = (one for one in tried if not _moves(one))
        found += [one for one in hiding][:1]
    return found[::-1]


def _differ(one: Slot, other: Slot) -> np.ndarray:
    """The rows in which two tensors differ by more than rounding."""
    x = array_compare.as_array(one.tensor)
    y = array_compare.as_array(other.tensor)
    gaps = array_compare.differences(x, y).reshape(len(x), -1).max(axis=1)
    largest = max(array_compare.magnitude(x), array_compare.magnitude(y))
    rows: np.ndarray = gaps > allowed(one) * largest
    return rows


def _own(slot: Slot) -> np.ndarray | None:
    """The mask of the sequence itself, whatever the call got for it."""
    carried = slot.carried
    mask = slot.own
    if carried is not None:
        mask = array_compare.as_array(carried) != 0
    fits = mask is not None and mask.ndim == 2 and mask.shape == slot.shape[:2]
    return mask if fits else None


def _suspects(call: Call) -> Iterator[Hidden]:
    """Inputs with real steps that the mask of another input would hide."""
    if call.error is not None or call.operation or len(call.inputs) < 2:
        return
    owns = [_own(slot) for slot in call.inputs]
    for i, own in enumerate(owns):
        for j, other in enumerate(owns):
            if own is None or other is None or own.shape != other.shape:
                continue
            steps = own & ~other
            if steps.any() and _gets(call, own, other):
                yield Hidden(call, i, j, steps)


def _gets(call: Call, own: np.ndarray, other: np.ndarray) -> bool:
    """Whether the call got the mask `other` for steps with the mask `own`.

    As an argument that a caller wrote; or from Keras, which then does not pass
    `own`, that of the sequence itself.
    """
    written = [_visible(mask, own.shape) for mask in call.explicit]
    values = [v for k, v in call.bound.items() if names_a_mask(k)]
    passed = [
        _visible(mask, own.shape)
        for mask in keras.tree.flatten(values)
        if hasattr(mask, "shape")
    ]
    if any(_equal(mask, own) for mask in passed):
        passed = written
    wanted = (other, own & other)
    return any(_equal(mask, one) for mask in passed for one in wanted)


def _visible(mask: Any, shape: tuple[int, ...]) -> np.ndarray | None:
    """The steps that any query sees: `(batch, steps)` of `(..., steps)`."""
    array = array_compare.as_array(mask)
    if array.ndim < 2 or (array.shape[0], array.shape[-1]) != shape:
        return None
    steps: np.ndarray = (array != 0).reshape(shape[0], -1, shape[1]).any(axis=1)
    return steps


def _equal(mask: np.ndarray | None, other: np.ndarray) -> bool:
    return mask is not None and np.array_equal(mask, other)


def _moves(one: Hidden) -> bool:
    """Whether other values at the steps move an output of any of their rows."""
    call = one.call
    own = _own(call.inputs[one.source])
    replacements: dict[int, Any] = {}
    for slot in call.inputs:  # key and value may be two tensors
        mask = _own(slot)
        if own is not None and _equal(mask, own):
            x = array_compare.as_array(slot.tensor)
            other = other_padding(x, ~one.steps)
            replacements[id(slot.tensor)] = copy(slot, other)
    try:
        again = call_again(call, replacements)
    except Exception:
        return True
    rows = one.steps.any(axis=1)
    pairs = [
        (a, b)
        for a, b in zip(call.outputs, again.outputs)
        if a.shape == b.shape and a.shape[:1] == rows.shape
    ]
    return not pairs or any(_differ(a, b)[rows].any() for a, b in pairs)
