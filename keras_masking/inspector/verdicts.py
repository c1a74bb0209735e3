"""Decides what is wrong, and which call is to blame.

It does not use class names, only what was recorded and measured.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from keras_masking.errors import first_words
from keras_masking.inspector.measuring import measures
from keras_masking.inspector.measuring.drift import Outcome
from keras_masking.inspector.measuring.hidden import Hidden
from keras_masking.inspector.measuring.measures import Measured
from keras_masking.inspector.measuring.regions import Masks
from keras_masking.inspector.measuring.regions import as_mask
from keras_masking.inspector.watching.mask_flow import Flows
from keras_masking.inspector.watching.watch import Call

MEASURED = {"fails", "leaks", "changed meaning", "not finite", "ignores"}
Fault = tuple[str, str]  # its name in `data.FAULTS`, and the reason


@dataclass(eq=False)
class Judge:
    """Judges each call, from the outside in.

    A layer that is right as a whole handles the mask by itself, so its inner
    layers are judged only if it is wrong.
    """

    flows: Flows
    masks: Masks
    probe: bool
    longer: Callable[[Call], str]  # the change of length that moved it, or ""
    measured: dict[Call, Measured] = field(default_factory=dict)
    faults: dict[Call, list[Fault]] = field(default_factory=dict)
    hiding: dict[Call, list[Fault]] = field(default_factory=dict)

    def model(self, root: Call) -> list[Call]:
        """The calls to blame for what is wrong with a whole model."""
        inner = self._inside(root)
        own = self._faults(root)
        inside = [c for c in self.flows[root].gone.values() if c is not root]
        if inner or inside or not own:
            return inner
        self.faults[root] = own
        return [root]

    def judge(self, call: Call) -> list[Call]:
        """The calls to blame for what is wrong in `call`, perhaps itself."""
        flow = self.flows[call]
        own = self.faults[call] = self._faults(call)
        lost_inside = any(
            c is not call and c.within(call) for c in flow.gone.values()
        )
        known = self._measure(call).moved is not None
        keeps = all(slot.mask is not None for slot in call.outputs)
        wrong = own or lost_inside or flow.victim_of is not None
        # A call in it that makes a mask, for example of words, is judged
        # itself.
        makes_inside = any(
            makes(child) for child in call.walk() if child is not call
        )
        if not wrong and not makes_inside and (known or keeps):
            return []
        inner = self._inside(call)
        if self._explains(call, own, inner):
            return inner
        if not own and not lost_inside:
            return inner
        kept = [c for c in inner if makes_inside and self.proved(c)]
        for child in call.children:  # their other faults are internal
            for each in child.walk():
                if each not in kept:
                    self.faults.pop(each, None)
        if not own:
            why = "Its output has the steps, but no mask."
            self.faults[call] = [("drops", why)]
        return [call, *kept]

    def moves(self, outcome: Outcome) -> Call:
        """Blames the call where the outputs start to move."""
        call = outcome.starts
        assert call is not None  # noqa: S101  it moves
        what = outcome.change.what
        if outcome.by_code:
            why = f"Its input, which code before it makes, moves with {what}."
            self.faults[call] = [("made by code", why)]
        else:
            why = f"Its real outputs move with {what}."
            self.faults[call] = [("leaks", why)]
        return call

    def hides(self, found: list[Hidden]) -> list[Call]:
        """Blames the calls that hide real steps, whatever else is wrong."""
        for one in found:
            self.hiding[one.call] = [("hides real steps", one.reason)]
        return [*self.hiding]

    def _inside(self, call: Call) -> list[Call]:
        known = [child for child in call.children if child in self.flows]
        return [c for child in known for c in self.judge(child)]

    def proved(self, call: Call) -> bool:
        """Whether a fault was measured on the call itself."""
        return any(name in MEASURED for name, _ in self.faults[call])

    def _explains(
        self, call: Call, own: list[Fault], inner: list[Call]
    ) -> bool:
        """Whether faults inside account for what is wrong with a call."""
        kinds = {name for c in inner for name, _ in self.faults[c]}
        wrong = {name for name, _ in own}
        if not inner or ("deletes" in wrong and "deletes" not in kinds):
            return False
        if not self.probe or (wrong & MEASURED and kinds & MEASURED):
            return True
        return measures.explained(call, inner, self.flows, self.masks)

    def _measure(self, call: Call) -> Measured:
        if call not in self.measured:
            self.measured[call] = self._tried(call)
        return self.measured[call]

    def _tried(self, call: Call) -> Measured:
        if not self.probe:
            return Measured(why_not="probe=False")
        if all(slot.mask is None for slot in call.inputs):
            return Measured(why_not="no mask came in")
        if self.flows[call].lost:
            return Measured(why_not="its mask was lost before")
        return measures.measure(call, self.masks)

    def _faults(self, call: Call) -> list[Fault]:
        """What is wrong with a call, the worst first."""
        flow = self.flows[call]
        if call.error is not None:
            return self._failure(call)
        found: list[Fault] = []
        if flow.misfits:
            slot = call.outputs[flow.misfits[0]]
            mask = as_mask(slot)
            shape = None if mask is None else mask.shape
            found.append(
                (
                    "wrong shape",
                    f"Its output has shape {slot.shape}, and its mask {shape}.",
                )
            )
        found += self._leak(call)
        if self.probe and not found and not flow.lost:
            row = measures.not_finite(call, self.masks)
            if row is not None:
                found.append(("not finite", self._nothing(call, row)))
        if flow.deletes:
            found.append(
                (
                    "deletes",
                    "It deletes the mask of its caller's tensor, which is "
                    "used again later.",
                )
            )
        if flow.drops:
            found.append(("drops", self._dropped(call)))
        if flow.by_code:
            found.append(
                (
                    "made by code",
                    f"Its input {_list(flow.by_code)} was made by code before "
                    "it, such as `x * 2` or a slice, and carries no mask, "
                    "although tensors with its rows and steps do.",
                )
            )
        return found

    def _failure(self, call: Call) -> list[Fault]:
        error = call.error
        if self.flows[call].lost:
            return []
        assert error is not None  # noqa: S101
        what = f"{type(error).__name__}: {first_words(error)}"
        masked = any(s.mask is not None for s in call.inputs) or call.explicit
        if masked and self.probe and measures.runs_without_mask(call):
            return [
                (
                    "fails",
                    f"With the mask it raises {what}; without a mask it runs.",
                )
            ]
        return []

    def _leak(self, call: Call) -> list[Fault]:
        result = self._measure(call)
        if result.leaks and result.made_up:
            return [
                (
                    "ignores",
                    "It mixes steps and ignores a mask: real outputs move by "
                    f"{percent(result.moved)} when the last step, which a "
                    "made-up mask marks as padding, does.",
                )
            ]
        if result.meaning:
            return [
                (
                    "changed meaning",
                    "Its output's mask marks steps as real that are padding "
                    "in an input, and they depend on that padding.",
                )
            ]
        if result.leaks:
            return [
                (
                    "leaks",
                    "Its real outputs move by "
                    f"{percent(result.moved)} when the values at padding steps "
                    "do.",
                )
            ]
        change = self.longer(call)
        if change:
            return [("leaks", f"Its real outputs move with {change}.")]
        return []

    def _nothing(self, call: Call, row: int) -> str:
        masks = [as_mask(slot) for slot in call.inputs]
        empty = any(m is not None and not m[row].any() for m in masks)
        which = "which has no real step" if empty else "whose inputs are finite"
        return f"It gives NaN or an infinity for row {row}, {which}."

    def _dropped(self, call: Call) -> str:
        flow = self.flows[call]
        slot = call.outputs[flow.drops[0]]
        bare = [
            i for i, s in enumerate(call.inputs) if s.mask is None and s.axes
        ]
        if slot.axes and 1 not in slot.axes:
            return (
                f"Its output has the steps on axis {slot.axes[0]}, but no mask."
            )
        if not any(s.mask is not None for s in call.inputs):
            return (
                "Its output was made by code after its inner layers, and has "
                "no mask."
            )
        if bare and len(call.inputs) > 1:
            return (
                f"Its input {_list(bare)} has no mask, so its output has none."
            )
        return "Its output has the steps, but no mask."


def makes(call: Call) -> bool:
    """Whether a call returns a mask but gets none."""
    return role(call) == "generates"


def role(call: Call) -> str:
    """What a call does with the mask; "" if there is none."""
    came = [m for m in map(as_mask, call.inputs) if m is not None]
    came = [
        m for m in came if m.ndim > 1
    ]  # in a TimeDistributed, a mask of rows
    went = [m for m in map(as_mask, call.outputs) if m is not None]
    if not came:
        return "generates" if went else ""
    if not went:
        kept = any(s.axes and 0 not in s.axes for s in call.outputs)
        return "drops" if kept else "reduces"
    if len({id(s.tensor) for s in call.inputs if s.axes}) > 1:
        return "merges"
    same = all(np.array_equal(m, came[0]) for m in went)
    return "passes" if same else "transforms"


def percent(moved: float | None) -> str:
    """A relative difference in words."""
    if moved is None or math.isinf(moved):
        return "an infinite amount"
    rounded = float(f"{moved:.2g}")
    if rounded >= 10:
        return f"{rounded:.0f} times their size"
    if rounded >= 1:
        return f"{rounded:g} times their size"
    return f"{100 * rounded:g} % of their size"


def _list(places: list[int]) -> str:
    return ", ".join(map(str, places))
