"""The texts that the text, HTML and picture of a report share."""

import math
from dataclasses import dataclass

from keras_masking.inspector.data import FAULTS
from keras_masking.inspector.data import CallRecord
from keras_masking.inspector.data import Drift
from keras_masking.inspector.data import OutputRecord
from keras_masking.inspector.data import ReportData
from keras_masking.inspector.data import TensorRecord


@dataclass
class TensorState:
    """An input or output of a call, with the state of its mask.

    `state` is "mask", "lost", "gone" (with the step axis) or "none" (there was
    never one).
    """

    tensor: TensorRecord
    state: str
    times: int = 1

    @property
    def counts(self) -> str:
        if self.tensor.mask is None:
            return {"lost": "no mask", "gone": "steps gone"}.get(self.state, "")
        return f"{self.tensor.real}/{self.tensor.mask.size} real"

    @property
    def shape(self) -> str:
        mask, shape = self.tensor.mask, self.tensor.shape
        if mask is None or mask.shape == shape[:2]:
            return _shape(shape)
        return f"{_shape(shape)}, its mask {_shape(mask.shape)}"

    @property
    def text(self) -> str:
        """Counts and shape, and how many tensors are like this."""
        times = f" x {self.times}" if self.times > 1 else ""
        return f"{self.counts or '-'} {self.shape}{times}"


def _shape(shape: tuple[int, ...]) -> str:
    return f"({','.join(map(str, shape))})"


def inputs(call: CallRecord) -> list[TensorState]:
    return _merge_equal([TensorState(x, _state(x)) for x in call.inputs])


def outputs(call: CallRecord) -> list[TensorState]:
    had = [len(x.shape) for x in call.inputs if _state(x) != "none"]
    states = []
    for x in call.outputs:
        state = _state(x)
        if state == "none" and had:
            if call.role == "reduces" or len(x.shape) < max(had):
                state = "gone"
            elif call.verdict == "drops":
                state = "lost"
        states.append(TensorState(x, state))
    return _merge_equal(states)


def _state(tensor: TensorRecord) -> str:
    if tensor.mask is not None:
        return "mask"
    return "lost" if tensor.lost else "none"


def _merge_equal(states: list[TensorState]) -> list[TensorState]:
    """Merges equal tensors: query, key and value often have one mask."""
    found: dict[object, TensorState] = {}
    for one in states:
        mask = one.tensor.mask
        bits = None if mask is None else (mask.shape, mask.tobytes())
        key = (one.state, one.tensor.shape, bits)
        if key in found:
            found[key].times += 1
        else:
            found[key] = one
    return list(found.values())


def kind(call: CallRecord) -> str:
    """The kind of a call, which sets its sign and colour."""
    if call.finding:
        return "finding"
    if call.victim_of is not None or any(x.lost for x in call.outputs):
        return "victim"  # or a call within it is to blame
    if call.verdict in FAULTS and call.verdict != call.role:
        return "harmless"
    return "sound" if call.verdict else "quiet"


def verdict(call: CallRecord) -> str:
    masked = any(x.mask is not None for x in call.inputs)
    what = "wrong mask" if masked else "no mask"
    since = "" if call.victim_of is None else f"{what} since #{call.victim_of}"
    harmless = ", harmless" if kind(call) == "harmless" else ""
    return ", ".join(filter(None, [call.verdict + harmless, since]))


def received(call: CallRecord) -> str:
    """The masks that `call` got, if there were any to get."""
    if call.received:
        return ", ".join(call.received)
    had = any(x.mask is not None for x in call.inputs)
    return "nothing" if had else ""


def moved(call: CallRecord) -> str:
    if call.moved is None or call.verdict in ("leaks", "changed meaning"):
        return ""  # the reason says so
    if call.moved == 0:
        return "padding does not move its real outputs"
    return f"padding moves its real outputs by {number(call.moved)} (relative)"


def number(value: float) -> str:
    return f"{value:.2g}" if math.isfinite(value) else str(value)


def victims(report: ReportData, call: CallRecord) -> str:
    """The calls that have no mask, or a wrong one, because of this one."""
    those = [f"#{c.index}" for c in report.calls if c.victim_of == call.index]
    if not those:
        return ""
    more = f" and {len(those) - 8} more" if len(those) > 8 else ""
    wrong = call.verdict == "wrong shape"
    what = "with a wrong mask" if wrong else "without a mask"
    return f"calls {what} because of it: {', '.join(those[:8])}{more}"


def at(report: ReportData, index: int) -> str:
    """A call as `#3 conv`."""
    names = {call.index: call.name for call in report.calls}
    return f"#{index} {names.get(index, '')}".rstrip()


def drift(report: ReportData, one: Drift) -> tuple[str, str]:
    """The kind of a change of padding, and its effect."""
    if one.moved is None:
        return "quiet", f"not measured: {one.why_not}"
    text = f"outputs move by {number(one.moved)}"
    if one.relative is not None:
        text += f" (relative {number(one.relative)})"
    if one.starts is None:
        return "sound", text
    text += f", from {at(report, one.starts)} on"
    if one.counts:
        return "finding", text
    return (
        "harmless",
        f"{text}; a note, not a finding: the inputs have no such padding",
    )


def reach(report: ReportData, output: OutputRecord) -> tuple[str, str]:
    """The kind of an output, and whether the mask reaches the loss."""
    if output.reached is None:
        return "quiet", "not applicable: no steps, or no mask in the model"
    if output.reached:
        return "sound", f"yes, {TensorState(output.tensor, 'mask').counts}"
    if output.lost_by is None:
        return "finding", "no"
    return "finding", f"no, lost by {at(report, output.lost_by)}"


def headline(report: ReportData) -> tuple[str, str]:
    """The state of the report: a kind, and a sentence."""
    count = len(report.findings)
    calls = f"{len(report.calls)} call{'s' * (len(report.calls) != 1)}"
    text = f"{count} finding{'s' * (count != 1)} in {calls}"
    if report.error:
        return "finding", f"The model failed; {text} up to there."
    if count:
        return "finding", f"{text}."
    if report.missing:
        return "unknown", f"Not measured; no finding in {calls} so far."
    return "sound", f"Clean: no finding in {calls}."
