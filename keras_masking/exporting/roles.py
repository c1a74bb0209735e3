"""What each input of a model holds, so that a batch for it can be made."""

from dataclasses import dataclass
from typing import Any

from keras_masking.exporting.signature import Signature
from keras_masking.exporting.signature import Slot
from keras_masking.exporting.sizes import Sizes
from keras_masking.inspector.watching.synthetic_inputs import known


@dataclass(frozen=True)
class Role:
    """What an input holds.

    Attributes:
        kind: "ids", "features", "mask", "lengths" or "plain", which has no
            steps.
        steps: The name of the size of its steps, or of those that its lengths
            count; their number if it is fixed; "" for a plain input.
        padding: What its padding steps hold; None if a mask or lengths say
            where they are, so that they may hold anything.
        below: The ids are below this.
    """

    kind: str
    steps: str | int = ""
    padding: float | None = None
    below: int = 2


def find_roles(model: Any, signature: Signature, sizes: Sizes) -> list[Role]:
    """The role of each input, by its shape, dtype and name, and its layers."""
    slots = signature.slots
    steps = [_steps(model, i, slot, sizes) for i, slot in enumerate(slots)]
    kinds = [_kind(model, i, slot, steps) for i, slot in enumerate(slots)]
    counted = list(dict.fromkeys(s for s in steps if s != ""))
    lengths = iter(counted)
    for i, kind in enumerate(kinds):
        if kind == "lengths":
            steps[i] = next(lengths, counted[-1])
    said = {s for s, k in zip(steps, kinds) if k in ("mask", "lengths")}
    return [
        Role(
            kind,
            steps[i],
            None
            if steps[i] in said and kind == "features"
            else next(iter(known(model, i, "mask_value")), 0),
            int(min(known(model, i, "input_dim"), default=2)),
        )
        for i, kind in enumerate(kinds)
    ]


def _steps(model: Any, place: int, slot: Slot, sizes: Sizes) -> str | int:
    """The size of axis 1 if that is steps."""
    if len(slot.shape) < 2:
        return ""
    size = slot.shape[1]
    if size is None:
        return sizes.names[place, 1]
    if size < 2:
        return ""
    integers = not slot.dtype.startswith("float")
    tokens = known(model, place, "input_dim")
    return size if len(slot.shape) > 2 or integers or tokens else ""


def _kind(model: Any, place: int, slot: Slot, steps: list[str | int]) -> str:
    one_a_row = len(slot.shape) == 1 or slot.shape[1:] == (1,)
    integers = slot.dtype.startswith(("int", "uint"))
    tokens = known(model, place, "input_dim")
    if steps[place] == "":
        counts = integers and one_a_row and not tokens
        return "lengths" if counts and any(s != "" for s in steps) else "plain"
    if slot.dtype == "bool" or (len(slot.shape) == 2 and "mask" in slot.name):
        return "mask"
    return "ids" if integers or tokens else "features"
