"""What an inspection saw, as plain data."""

from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import numpy as np

# What is wrong with a call. Each says who is to blame, not who suffers.
FAULTS = (
    "fails",  # the call raises, and without a mask it does not
    "wrong shape",  # its output's mask does not fit the output
    "leaks",  # padding moves its real outputs: measured
    "changed meaning",  # its mask calls steps real that its inputs don't
    "not finite",  # real outputs are not, though real inputs are
    "deletes",  # takes the mask off its caller's tensor
    "drops",  # its output has the steps, and no mask
    "made by code",  # its input was made between layers, and has no mask
    "ignores",  # mixes steps and pays no heed to a mask: measured
)


@dataclass(frozen=True)
class TensorRecord:
    """A tensor that went into a call or came out.

    Attributes:
        shape: Its shape.
        dtype: Its dtype.
        mask: The mask it carried, or that was passed for it, as NumPy; None
            without one.
        lost: Whether it should have one, but a call before lost it.
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
        index: Its place in the order of execution, from 0: the model itself.
        depth: How many calls it stands in.
        name: The layer's name.
        type: The layer's class, or the operation's, by name.
        path: The names of the calls that it stands in, and its own, joined
            by `/`.
        operation: Whether it is an operation, such as `x * 2`, that Keras
            recorded in a Functional model's graph.
        times: How many calls the record stands for; the cell of a recurrent
            layer is called at each step.
        inputs: What went in.
        outputs: What came out; empty if the call raised.
        received: The arguments of `call` that held a mask, by name.
        role: One of the six roles, or "" where no mask came in or out.
        verdict: The role, or one of the faults; "" where no mask came in.
        reason: Why, in a sentence.
        finding: Whether it is to blame. A fault that harms nobody is none: an
            inner layer of an attention that handles the mask by itself, say.
        advice: What mends it; "" if it is no finding.
        victim_of: The index of the call that lost this one's mask, or None.
        same_as: The index of a call of the same layer with the same fault,
            which is the finding; None if there is none.
        moved: By how much its real outputs moved when padding did, relative
            to the largest of them; None if that was not measured.
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
        """Whether Keras warned of this call, and nothing is wrong with it."""
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
        name: Its name in a dict of outputs, else its place.
        tensor: What came out.
        reached: Whether the mask reaches it, hence the loss: True, False, or
            None where there is nothing to reach: it has no steps, or no mask
            was ever there.
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
    """How far the model's real outputs move under a change of the padding.

    Attributes:
        change: What was done, such as "12 more padding steps on the right".
        moved: The largest difference of a real output; None if not measured.
        relative: The same, relative to the largest real output.
        counts: Whether it makes a finding: padding of the kind that the
            inputs have. Padding on the other side is told, not blamed.
        starts: The index of the first call whose real outputs move though
            its real inputs don't, or of the first behind the code that does
            it; None if nothing moves.
        why_not: Why it was not measured; "" if it was.
    """

    change: str
    moved: float | None = None
    relative: float | None = None
    counts: bool = True
    starts: int | None = None
    why_not: str = ""


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

    @property
    def findings(self) -> list[CallRecord]:
        """The calls that are to blame."""
        return [call for call in self.calls if call.finding]

    @property
    def false_warnings(self) -> list[CallRecord]:
        """The calls of which Keras warned although nothing is wrong."""
        return [call for call in self.calls if call.falsely_warned]

    @property
    def ok(self) -> bool:
        """Whether the model ran, and nothing was found."""
        return not self.findings and not self.error

    def summary(self) -> str:
        """One line: how many calls, findings, and what the model's drift is."""
        count = len(self.findings)
        found = f"{count} finding{'' if count == 1 else 's'}"
        parts = [f"{self.model}: {found} in {len(self.calls)} calls"]
        if self.error:
            parts.append("the model failed")
        if not any(call.role for call in self.calls):
            parts.append("no mask was born")
        measured = [d for d in self.drift if d.moved is not None and d.counts]
        if measured:
            worst = max(d.moved for d in measured if d.moved is not None)
            parts.append(f"drift {worst:.2g}")
        else:
            parts.append("drift not measured")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, which `json.dump` takes."""
        return {
            **vars(self),
            "calls": [call.to_dict() for call in self.calls],
            "outputs": [output.to_dict() for output in self.outputs],
            "drift": [vars(drift) for drift in self.drift],
            "ok": self.ok,
        }
