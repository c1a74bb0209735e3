"""Measures leaks by calling a layer again with other values at padding steps.

Its weights and its other inputs are the same. This is the check `pad-value` of
the contract, for a layer inside a model.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from keras_masking import array_compare
from keras_masking._keras import set_mask
from keras_masking.errors import first_words
from keras_masking.inspector.measuring.changed_inputs import other_padding
from keras_masking.inspector.measuring.regions import Masks
from keras_masking.inspector.measuring.regions import allowed
from keras_masking.inspector.measuring.regions import as_mask
from keras_masking.inspector.measuring.regions import moved
from keras_masking.inspector.measuring.regions import real
from keras_masking.inspector.watching.mask_flow import Flows
from keras_masking.inspector.watching.mask_flow import expected_mask
from keras_masking.inspector.watching.runs import call_again
from keras_masking.inspector.watching.runs import copy
from keras_masking.inspector.watching.watch import Call
from keras_masking.inspector.watching.watch import Slot


@dataclass(frozen=True)
class Measured:
    """How far real outputs moved with the padding.

    Attributes:
        moved: The worst of all outputs, relative; None if not measured.
        leaks: Whether that is more than rounding.
        meaning: Whether they moved only at steps that are padding in an input
            and real in the output.
        made_up: Whether the padding was made up, since the batch has none here.
        why_not: Why it was not measured.
    """

    moved: float | None = None
    leaks: bool = False
    meaning: bool = False
    made_up: bool = False
    why_not: str = ""


def measure(call: Call, masks: Masks) -> Measured:
    """Repeats the call with other values at padding steps."""
    if call.error is not None:
        return Measured(why_not="it failed")
    changed = _refilled(call)
    if not changed:
        return _made_up(call)
    try:
        other = call_again(call, dict(changed)).outputs
    except Exception as error:
        return Measured(why_not=f"called again, it raised {_short(error)}")
    found = _compare(call, call.outputs, masks, other)
    if found is None or not found.leaks:
        return found or Measured(
            why_not="it is unknown which of its outputs are real"
        )
    # Repeated unchanged: what moves then does not move with the padding.
    same = call_again(call, {}).outputs
    noise = _compare(call, same, masks, call_again(call, {}).outputs)
    if noise is None or noise.leaks:
        return Measured(why_not="its outputs are random")
    return _compare(call, same, masks, other) or found


def _refilled(call: Call) -> dict[int, Any]:
    replacements: dict[int, Any] = {}
    for slot in call.inputs:
        mask = as_mask(slot)
        if mask is None or mask.shape != slot.shape[: mask.ndim]:
            continue
        x = array_compare.as_array(slot.tensor)
        other = other_padding(x, mask)
        if other is not x:
            replacements[id(slot.tensor)] = copy(slot, other)
    return replacements


def _compare(
    call: Call,
    one: list[Slot],
    masks: Masks,
    other: list[Slot],
    made_up: bool = False,
) -> Measured | None:
    """What moved between two calls; None if unknown for all outputs."""
    wanted = expected_mask(call)
    worst, leaks, meaning, known = 0.0, False, False, False
    for base, a, b in zip(call.outputs, one, other):
        a.axes = b.axes = base.axes
        a.own = b.own = None if made_up else base.own
        gap = None if base.idle else moved(a, masks, b, masks)
        if gap is None:
            continue
        known, worst = True, max(worst, gap[1])
        if gap[1] <= allowed(a):
            continue
        leaks = True
        mask = as_mask(a)
        if mask is None or wanted is None or mask.shape != wanted.shape:
            meaning = False
            break
        both = array_compare.spread(wanted, len(a.shape))
        inside = moved(a, masks, b, masks, also=both)
        meaning = inside is not None and inside[1] <= allowed(a)
        if not meaning:
            break
    return Measured(worst, leaks, meaning) if known else None


def _made_up(call: Call) -> Measured:
    """As `measure`, with the last step of most rows made padding."""
    none = Measured(why_not="the batch has no padding here")
    shapes = {tuple(s.mask.shape) for s in call.inputs if s.mask is not None}
    others = [s for s in call.inputs if s.mask is None and len(s.shape) > 1]
    if len(shapes) != 1 or any(_is_mask_like(s, shapes) for s in others):
        return none
    (shape,) = shapes
    if len(shape) != 2 or shape[1] < 2:
        return none
    mask = np.ones(shape, bool)
    mask[min(1, shape[0] - 1) :, -1] = False
    runs = []
    try:
        for change in (False, True):
            replacements: dict[int, Any] = {}
            for slot in call.inputs:
                x = array_compare.as_array(slot.tensor)
                if slot.mask is not None and change:
                    x = other_padding(x, mask)
                tensor = replacements[id(slot.tensor)] = copy(slot, x)
                if slot.carried is not None:
                    set_mask(tensor, ops.convert_to_tensor(mask))
            for given in call.explicit:
                if tuple(given.shape) == shape:
                    replacements[id(given)] = ops.convert_to_tensor(mask)
            runs.append(call_again(call, replacements).outputs)
    except Exception as error:
        return Measured(why_not=f"with padding, it raised {_short(error)}")
    found = _compare(call, runs[0], {shape[1]: mask}, runs[1], made_up=True)
    if found is None:
        return none
    return Measured(found.moved, found.leaks, made_up=True)


def _is_mask_like(slot: Slot, shapes: set[tuple[int, ...]]) -> bool:
    integers = array_compare.as_array(slot.tensor).dtype.kind in "biu"
    return integers and slot.shape[:2] in {shape[:2] for shape in shapes}


def runs_without_mask(call: Call) -> bool:
    """Whether a call that raised works without the masks of its inputs."""
    replacements: dict[int, Any] = {id(mask): None for mask in call.explicit}
    for slot in call.inputs:
        replacements[id(slot.tensor)] = ops.copy(slot.tensor)
    try:
        call_again(call, replacements)
    except Exception:
        return False
    return True


def explained(
    call: Call, faults: list[Call], flows: Flows, masks: Masks
) -> bool:
    """Whether `call` is right if masks are restored where `faults` lost them.

    To find out, it runs again, and its inner calls get the masks.
    """
    places = {fault.key[len(call.key) :]: fault for fault in faults}

    def wanted(now: Call) -> Call | None:
        return places.get(now.key[1:])

    def enters(now: Call) -> None:
        fault = wanted(now)
        for i in flows[fault].by_code if fault else ():
            mask = masks.get(now.inputs[i].shape[1])
            if mask is not None:
                set_mask(now.inputs[i].tensor, ops.convert_to_tensor(mask))

    def leaves(now: Call) -> None:
        fault = wanted(now)
        if fault is None:
            return
        for slot in now.deleted:
            set_mask(slot.tensor, slot.carried)
        mask = expected_mask(fault)
        for i in flows[fault].drops if mask is not None else ():
            set_mask(now.outputs[i].tensor, ops.convert_to_tensor(mask))

    try:
        same = call_again(call, {}, enters, leaves).outputs
        other = call_again(call, _refilled(call), enters, leaves).outputs
    except Exception:
        return False
    carried = all(same[i].mask is not None for i in flows[call].gone)
    found = _compare(call, same, masks, other)
    return carried and (found is None or not found.leaks)


def not_finite(call: Call, masks: Masks) -> int | None:
    """The first row with real outputs that are not finite; None if all are.

    Also None if the real inputs are not finite. If the padding is not, an
    output whose real steps are unknown may hold it.
    """
    for slot in call.inputs:
        if _bad_row(slot, masks) is not None:
            return None
    padded = not all(_finite(slot) for slot in call.inputs)
    rows = (
        _bad_row(slot, masks)
        for slot in call.outputs
        if not (padded and _may_hold_padding(slot, masks))
    )
    return next((row for row in rows if row is not None), None)


def _finite(slot: Slot) -> bool:
    x = array_compare.as_array(slot.tensor)
    return x.dtype.kind != "f" or bool(np.isfinite(x).all())


def _may_hold_padding(slot: Slot, masks: Masks) -> bool:
    """Whether an output may have steps, and which are real is unknown."""
    return real(slot, masks) is None or (len(slot.shape) > 2 and not slot.axes)


def _bad_row(slot: Slot, masks: Masks) -> int | None:
    x = array_compare.as_array(slot.tensor)
    if x.dtype.kind != "f" or x.ndim == 0:
        return None
    bad = ~np.isfinite(x)
    if not bad.any():
        return None
    where = real(slot, masks)
    rows = np.argwhere(bad if where is None else bad & where)
    return int(rows[0][0]) if rows.size else None


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {first_words(error)}"
