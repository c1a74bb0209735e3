"""The calls of a run as plain data."""

import keras
import numpy as np

from keras_masking import layer_calls
from keras_masking.errors import first_words
from keras_masking.inspector.advice import advise
from keras_masking.inspector.data import CallRecord
from keras_masking.inspector.data import Drift
from keras_masking.inspector.data import OutputRecord
from keras_masking.inspector.data import PaddingRecord
from keras_masking.inspector.data import TensorRecord
from keras_masking.inspector.measuring.drift import Outcome
from keras_masking.inspector.measuring.regions import Masks
from keras_masking.inspector.measuring.regions import as_mask
from keras_masking.inspector.verdicts import Judge
from keras_masking.inspector.verdicts import role
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.mask_flow import Flows
from keras_masking.inspector.watching.watch import Call
from keras_masking.inspector.watching.watch import Slot
from keras_masking.ops.dtypes import dtype_name


def call_indices(flows: Flows) -> dict[Call, int]:
    """The index of each call, in the order in which they began."""
    return {call: index for index, call in enumerate(flows)}


def call_records(judge: Judge, blamed: list[Call]) -> list[CallRecord]:
    """One record for each call."""
    index = call_indices(judge.flows)
    records = [_record(call, index, judge, blamed) for call in index]
    first: dict[tuple[int, str], int] = {}
    for call, record in zip(index, records):
        if not record.finding:
            continue
        before = first.setdefault(
            (id(call.layer), record.verdict), record.index
        )
        if before != record.index:
            record.same_as, record.finding, record.advice = before, False, ""
            record.reason = f"As in call {before}."
    return records


def _record(
    call: Call, index: dict[Call, int], judge: Judge, blamed: list[Call]
) -> CallRecord:
    flow = judge.flows[call]
    faults = judge.faults.get(call, [])
    result = judge.measured.get(call)
    path = call.path
    lost = {i for i, c in flow.lost.items() if not _is_internal(c, judge)}
    record = CallRecord(
        index=index[call],
        depth=len(path) - 1,
        name=call.layer.name,
        type=type(call.layer).__name__,
        path="/".join(path),
        operation=call.operation,
        times=call.times,
        inputs=[_tensor(s, i in lost) for i, s in enumerate(call.inputs)],
        outputs=[
            _tensor(s, flow.gone.get(i) in blamed)
            for i, s in enumerate(call.outputs)
        ],
        received=sorted(layer_calls.masks_received(call.bound)),
        role=role(call),
        finding=call in blamed,
        moved=result.moved if result and not result.made_up else None,
        warned=call.warned,
    )
    record.verdict = faults[0][0] if faults else record.role
    record.reason = " ".join(why for _, why in faults)
    if record.finding:
        record.advice = advise(call, record.verdict)
    elif flow.victim_of is not None and _is_internal(flow.victim_of, judge):
        record.verdict, record.reason = "", _why_harmless(call, judge)
    elif flow.victim_of is not None:
        record.verdict = ""
        record.victim_of = index[flow.victim_of]
        masked = any(x.mask is not None for x in call.inputs)
        what = "got a wrong shape" if masked else "was lost"
        record.reason = f"Its mask {what} in call {record.victim_of}."
    elif faults:
        record.reason += " No output of the model needs the mask."
    elif record.role == "drops":
        record.reason = _why_harmless(call, judge)
    elif call.error is not None:
        words = first_words(call.error)
        record.reason = f"Raised {type(call.error).__name__}: {words}"
    elif result and result.why_not and record.role not in ("", "generates"):
        record.reason = f"Leaks were not measured: {result.why_not}."
    return record


def _is_internal(culprit: Call, judge: Judge) -> bool:
    """Whether a mask was lost inside a layer that is right as a whole."""
    return bool(_why_harmless(culprit, judge))


def _why_harmless(call: Call, judge: Judge) -> str:
    inside = call.parent
    while inside is not None and inside.parent is not None:
        if inside in judge.faults and not judge.faults[inside]:
            return f"`{inside.layer.name}` as a whole keeps padding out."
        inside = inside.parent
    return ""


def _tensor(slot: Slot, lost: bool) -> TensorRecord:
    return TensorRecord(
        slot.shape, dtype_name(slot.tensor), as_mask(slot), lost
    )


def output_records(
    root: Call, flows: Flows, masks: Masks
) -> list[OutputRecord]:
    """The model's outputs, and whether a mask reaches them."""
    index = call_indices(flows)
    some = any(
        _carries_steps(s) for c in index for s in (*c.inputs, *c.outputs)
    )
    found = []
    for i, (name, slot) in enumerate(zip(_names(root), root.outputs)):
        blame = flows[root].gone.get(i)
        reached: bool | None = None
        mask = as_mask(slot)
        if mask is not None:
            reached = mask.shape == slot.shape[: mask.ndim] or None
        elif some and _has_steps(slot, masks):
            reached = False
        found.append(
            OutputRecord(
                name,
                _tensor(slot, blame is not None),
                reached,
                None if blame is None else index[blame],
            )
        )
    return found


def _carries_steps(slot: Slot) -> bool:
    """Whether a tensor carries a mask of its steps.

    Not one that was only passed to a call, or that broadcasts.
    """
    mask = None if slot.carried is None else slot.carried.shape
    return mask is not None and slot.shape[: len(mask)] == tuple(mask)


def _has_steps(slot: Slot, masks: Masks) -> bool:
    """Whether it has steps, perhaps as many whatever the padding is."""
    if dtype_name(slot.tensor) == "bool":
        return False
    return bool(slot.axes) or (len(slot.shape) > 2 and slot.shape[1] in masks)


def padding_records(inputs: Inputs) -> list[PaddingRecord]:
    """How each input is padded whose padding was passed or guessed."""
    found = []
    for i, source in enumerate(inputs.sources):
        x, mask, value = inputs.leaves[i], inputs.padding[i], inputs.values[i]
        if source and mask is not None:
            seen = np.unique(x[~mask] if value is None else [value])
            held = f"{float(seen[0]):g}" if len(seen) == 1 else "several values"
            found.append(PaddingRecord(inputs.names[i], held, source))
    return found


def drift_records(flows: Flows, outcomes: list[Outcome]) -> list[Drift]:
    """The effect of each change of the padding."""
    index = call_indices(flows)
    return [
        Drift(
            outcome.change.what,
            None if outcome.moved is None else outcome.moved[0],
            None if outcome.moved is None else outcome.moved[1],
            counts=outcome.change.counts,
            starts=None if outcome.starts is None else index[outcome.starts],
            why_not=outcome.change.why_not,
        )
        for outcome in outcomes
    ]


def _names(root: Call) -> list[str]:
    flat = keras.tree.flatten(root.returned)
    if isinstance(root.returned, dict):
        names = {
            k: keras.tree.map_structure(lambda _, k=k: str(k), v)
            for k, v in root.returned.items()
        }
        return list(keras.tree.flatten(names))
    return [str(i) for i in range(len(flat))] if len(flat) > 1 else ["output"]
