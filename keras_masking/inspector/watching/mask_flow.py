"""Follows masks from call to call: which makes, loses or lacks one.

Tensors are identified as objects. A tensor that was made between layers, for
example by an operator, is the output of no call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

import numpy as np

from keras_masking.inspector.measuring.regions import and_masks
from keras_masking.inspector.measuring.regions import as_mask
from keras_masking.inspector.watching.watch import Call
from keras_masking.inspector.watching.watch import Slot
from keras_masking.inspector.watching.watch import in_graph
from keras_masking.ops.dtypes import dtype_name


@dataclass(eq=False)
class Flow:
    """What happened to the mask in one call.

    Attributes:
        lost: For each input that lost its mask, the call that lost it.
        by_code: The inputs that code between layers made, without a mask.
        drops: The outputs that have steps and no mask, because of this call.
        gone: For each output that has steps and no mask, the call to blame.
        misfits: The outputs whose mask does not fit them.
        deletes: Whether it deleted the mask of an input that is used again.
    """

    lost: dict[int, Call] = field(default_factory=dict)
    by_code: list[int] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    gone: dict[int, Call] = field(default_factory=dict)
    misfits: list[int] = field(default_factory=list)
    deletes: bool = False

    @property
    def victim_of(self) -> Call | None:
        return next(iter(self.lost.values()), None)


Flows = dict[Call, Flow]


class FlowTracer:
    """Goes through the calls of a run in the order in which they ran."""

    def __init__(
        self, root: Call, derived: Callable[[Call, int], bool] | None = None
    ) -> None:
        """`derived` returns whether a tensor depends on the inputs."""
        self.flows: Flows = {}  # in the order in which the calls began
        self._derived = derived
        self._origin: set[int] = set()
        self._lost: dict[int, Call] = {}
        self._misfit: dict[int, Call] = {}
        self._handed: set[int] = set()  # tensors with masks that broadcast
        self._alive: set[tuple[int, ...]] = set()  # shapes of masks so far
        for slot in root.inputs:
            self._origin.add(id(slot.tensor))
        self._idle = mask_makers(root)
        self._visit(root)

    def _visit(self, call: Call) -> None:
        flow = self.flows[call] = Flow()
        for i, slot in enumerate(call.inputs):
            self._enters(call, flow, i, slot)
        for child in call.children:
            if child not in self._idle:
                self._visit(child)
        if call.error is None:
            self._leaves(call, flow)

    def _enters(self, call: Call, flow: Flow, i: int, slot: Slot) -> None:
        mask = as_mask(slot)
        misfit = self._misfit.get(id(slot.tensor))
        if misfit is not None and not call.within(misfit):
            flow.lost[i] = misfit
        if mask is not None:
            self._alive.add(mask.shape)
            return
        culprit = self._lost.get(id(slot.tensor))
        if culprit is not None and not call.within(culprit):
            flow.lost[i] = culprit
            if any(s.tensor is slot.tensor for s in culprit.deleted):
                self.flows[culprit].deletes = True
            return
        if id(slot.tensor) in self._origin or not self._inside(slot):
            return
        before = self._lost_before(call)
        if before is not None:
            flow.lost[i] = before
            return
        if self._derived is None or self._derived(call, i):
            flow.by_code.append(i)

    def _lost_before(self, call: Call) -> Call | None:
        """The call that lost the mask before code made a tensor.

        If the enclosing call got no mask, or the call before returned none,
        code had no mask to lose.
        """
        parent = call.parent
        if parent is None:
            return None
        earlier = parent.children[: parent.children.index(call)]
        gone = self.flows[earlier[-1]].gone if earlier else {}
        inherited = self.flows[parent].victim_of
        return next(iter(gone.values()), None) or inherited

    def _leaves(self, call: Call, flow: Flow) -> None:
        for slot in call.deleted:
            self._lost.setdefault(id(slot.tensor), call)
        masked = any(_has_mask_of_steps(slot) for slot in call.inputs)
        masked_inside = any(
            _has_mask_of_steps(slot)
            for child in call.walk()
            for slot in (*child.inputs, *child.outputs)
        )
        unknown = [
            masked_inside and id(slot.tensor) not in self._origin
            for slot in call.outputs
        ]
        for i, slot in enumerate(call.outputs):
            self._origin.add(id(slot.tensor))
            mask = as_mask(slot)
            if mask is not None:
                self._alive.add(mask.shape)
                if self._was_handed(call, slot, mask):
                    self._handed.add(id(slot.tensor))
                elif mask.ndim < 2 or mask.shape != slot.shape[: mask.ndim]:
                    self._misfits(call, flow, i, slot)
                continue
            if not slot.axes or 0 in slot.axes:
                continue
            if dtype_name(slot.tensor) == "bool":
                continue  # a mask itself
            blame = self._lost.get(id(slot.tensor)) or flow.victim_of
            if blame is None and flow.by_code:
                blame = call
            if blame is None and (
                masked or (unknown[i] and self._inside(slot))
            ):
                blame = call
                flow.drops.append(i)
            if blame is not None:
                self._lost[id(slot.tensor)] = blame
                flow.gone[i] = blame

    def _was_handed(self, call: Call, slot: Slot, mask: np.ndarray) -> bool:
        """Whether a mask is an argument that broadcasts, not one of steps.

        A softmax, for example, takes a mask `(batch, 1, steps)` of its scores,
        and Keras lets its output carry it on.
        """
        if any(id(s.tensor) in self._handed for s in (slot, *call.inputs)):
            return True
        return any(
            tuple(given.shape) == mask.shape
            and any(_broadcasts(mask.shape, s.shape) for s in call.inputs)
            for given in call.explicit
        )

    def _misfits(self, call: Call, flow: Flow, i: int, slot: Slot) -> None:
        culprit = self._misfit.get(id(slot.tensor)) or flow.victim_of
        if culprit is None:
            flow.misfits.append(i)
        self._misfit[id(slot.tensor)] = culprit or call

    def _inside(self, slot: Slot) -> bool:
        """Whether a mask with a tensor's rows and steps exists."""
        return slot.axes == (1,) and slot.shape[:2] in self._alive


def _has_mask_of_steps(slot: Slot) -> bool:
    """Whether it has a mask that fits, not one that broadcasts."""
    mask = as_mask(slot)
    return mask is not None and mask.shape == slot.shape[: mask.ndim]


def _broadcasts(mask: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a mask of the same rank, not of steps, fits a tensor."""
    fits = all(n in (1, m) for n, m in zip(mask, shape))
    return len(mask) == len(shape) > 2 and fits


def mask_makers(root: Call) -> set[Call]:
    """The operations that Keras 3.15 adds to a graph to make masks.

    Their outputs are used only as masks. Also marks the outputs of calls in a
    graph that nothing uses.
    """
    needed = {id(slot.tensor) for slot in root.outputs}
    found = set()
    for call in [*root.walk()][::-1]:
        used = [id(slot.tensor) in needed for slot in call.outputs]
        if call.operation and call.error is None and not any(used):
            found.add(call)
            continue
        if call.parent and in_graph(call.layer, call.parent):
            for slot, somewhere in zip(call.outputs, used):
                slot.idle = not somewhere
        needed |= {id(slot.tensor) for slot in call.inputs}
    return found


def expected_mask(call: Call) -> np.ndarray | None:
    """The mask that a layer that keeps steps should return: the inputs' AND."""
    return and_masks(map(as_mask, call.inputs))
