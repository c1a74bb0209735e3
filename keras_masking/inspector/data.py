"""The results of an inspection, as plain data."""

from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np

# Faults, each of the call that causes it, not of the calls that it affects.
FAULTS = (
    "fails",  # the call raises, and without a mask it does not
    "wrong shape",  # the output's mask does not fit the output
    "leaks",  # padding moves its real outputs (measured)
    "changed meaning",  # its mask marks padding of an input as real
    "not finite",  # real outputs are not finite, though real inputs are
    "deletes",  # deletes the mask of its caller's tensor
    "drops",  # the output has the steps, but no mask
    "made by code",  # the input was made between layers, without a mask
    "ignores",  # mixes steps and ignores a mask (measured)
)


@dataclass(frozen=True)
class TensorRecord:
    """An input or output of a call.

    Attributes:
        shape: Its shape.
        dtype: Its dtype.
        mask: The mask it carried, or that was passed for it, as NumPy; None
            without one.
        lost: Whether it should have a mask, but an earlier call lost it.
    """

    shape: tuple[int, ...]
    dtype: str
    mask: np.ndarray | None = None
    lost: bool = False

    @property
    def real(self) -> int | None:
        """The number of real steps; None without a mask."""
        return None if self.mask is None else int(self.mask.sum())

    @property
    def padding(self) -> int | None:
        """The number of padding steps; None without a mask."""
        return None if self.mask is None else int((~self.mask).sum())

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        mask = None if self.mask is None else self.mask.tolist()
        counts = {"real": self.real, "padding": self.padding}
        return {**asdict(self), "mask": mask, **counts}


@dataclass
class CallRecord:
    """One call of a layer, or of an operation in a Functional model.

    Attributes:
        index: Its position in the order of execution; 0 is the model itself.
        depth: How many calls enclose it.
        name: The layer's name.
        type: The layer's class, or the operation's, by name.
        path: The names of the enclosing calls and its own, joined by `/`.
        operation: Whether it is an operation, such as `x * 2`, that Keras
            recorded in a Functional model's graph.
        times: How many calls the record covers; the cell of a recurrent layer
            is called at each step.
        inputs: The inputs.
        outputs: The outputs; empty if the call raised.
        received: The names of the arguments of `call` that held a mask.
        role: One of the six roles, or "" if no mask came in or out.
        verdict: The role, or one of the faults; "" if no mask came in.
        reason: The reason for the verdict, in a sentence.
        finding: Whether it is to blame. A harmless fault is not a finding, for
            example in an inner layer of an attention that handles the mask by
            itself.
        advice: How to fix it; "" if it is not a finding.
        victim_of: The index of the call that lost this one's mask, or None.
        same_as: The index of a call of the same layer with the same fault,
            which is the finding; None if there is none.
        moved: By how much its real outputs moved with the padding, relative to
            the largest of them; None if not measured.
        warned: Whether Keras warned that this layer destroys the mask.
    """

    index: int
    depth: int
    name: str
    type: str
    path: str
    operation: bool = False
    times: int = 1
    inputs: list[TensorRecord] = field(default_factory=list)
    outputs: list[TensorRecord] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    role: str = ""
    verdict: str = ""
    reason: str = ""
    finding: bool = False
    advice: str = ""
    victim_of: int | None = None
    same_as: int | None = None
    moved: float | None = None
    warned: bool = False

    @property
    def falsely_warned(self) -> bool:
        """Whether Keras warned about this call although nothing is wrong."""
        return self.warned and not self.finding and self.same_as is None

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        tensors = {
            "inputs": [x.to_dict() for x in self.inputs],
            "outputs": [x.to_dict() for x in self.outputs],
        }
        plain = {k: v for k, v in vars(self).items() if k not in tensors}
        return {**plain, **tensors, "falsely_warned": self.falsely_warned}


@dataclass(frozen=True)
class OutputRecord:
    """An output of the model.

    Attributes:
        name: Its key in a dict of outputs, else its position.
        tensor: The output.
        reached: Whether the mask reaches it, and so the loss: True, False, or
            None if there is none to reach it, because it has no steps or the
            model made no mask.
        lost_by: The index of the call that lost its mask, or None.
    """

    name: str
    tensor: TensorRecord
    reached: bool | None
    lost_by: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {**vars(self), "tensor": self.tensor.to_dict()}


@dataclass(frozen=True)
class Drift:
    """How far the model's real outputs move if the padding changes.

    Attributes:
        change: The change, such as "12 more padding steps on the right".
        moved: The largest difference of a real output; None if not measured.
        relative: The same, relative to the largest real output.
        counts: Whether it can make a finding: only for the kind of padding that
            the inputs have. Padding on the other side is only reported.
        starts: The index of the first call whose real outputs move although its
            real inputs do not, or of the first call after the code that causes
            it; None if nothing moves.
        why_not: Why it was not measured; "" if it was.
    """

    change: str
    moved: float | None = None
    relative: float | None = None
    counts: bool = True
    starts: int | None = None
    why_not: str = ""


@dataclass(frozen=True)
class PaddingRecord:
    """How an input is padded, if that was passed or guessed.

    Attributes:
        name: The input: its key in a dict, its name, or its position.
        value: What its padding steps hold, such as "0" or "nan".
        source: "passed", or what it was guessed from.
    """

    name: str
    value: str
    source: str

    def __str__(self) -> str:
        return f"padding of `{self.name}`: {self.value}, {self.source}"


@dataclass
class ReportData:
    """The data of a `MaskReport`, whose docstring explains the attributes."""

    model: str
    backend: str
    versions: dict[str, str] = field(default_factory=dict)
    calls: list[CallRecord] = field(default_factory=list)
    outputs: list[OutputRecord] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str = ""
    missing: list[str] = field(default_factory=list)
    padding: list[PaddingRecord] = field(default_factory=list)

    @property
    def findings(self) -> list[CallRecord]:
        """The calls that are to blame."""
        return [call for call in self.calls if call.finding]

    @property
    def false_warnings(self) -> list[CallRecord]:
        """The calls that Keras warned about although nothing is wrong."""
        return [call for call in self.calls if call.falsely_warned]

    @property
    def state(self) -> str:
        """One of "findings", "failed", "not measured" and "clean"."""
        if self.findings:
            return "findings"
        if self.error:
            return "failed"
        return "not measured" if self.missing else "clean"

    @property
    def ok(self) -> bool:
        """Whether padding was measured, and nothing was found."""
        return self.state == "clean"

    def summary(self) -> str:
        """One line: the number of findings and calls, and the drift."""
        count = len(self.findings)
        found = f"{count} finding{'' if count == 1 else 's'}"
        head = f"{self.model}: {found} in {len(self.calls)} calls"
        if self.error:
            return f"{head}, the model failed"
        parts = [head]
        if not any(call.role for call in self.calls):
            parts.append("no mask was made")
        measured = [d for d in self.drift if d.moved is not None and d.counts]
        if measured:
            worst = max(d.moved for d in measured if d.moved is not None)
            parts.append(f"drift {worst:.2g}")
        else:
            parts.append("drift not measured")
        if self.state in ("clean", "not measured"):
            parts.append(self.state)
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, which `json.dump` takes."""
        return {
            **vars(self),
            "calls": [call.to_dict() for call in self.calls],
            "outputs": [output.to_dict() for output in self.outputs],
            "drift": [vars(drift) for drift in self.drift],
            "padding": [vars(one) for one in self.padding],
            "state": self.state,
            "ok": self.ok,
        }
