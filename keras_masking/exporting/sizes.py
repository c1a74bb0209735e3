"""Which axes of the inputs always have the same size.

Converters want a name for each size that is not fixed: the mask of a tensor has
its steps, and another sequence has a number of steps of its own. A model does
not say so: it is called with one axis longer than the others.
"""

from typing import Any

import numpy as np

from keras_masking.exporting.signature import Signature
from keras_masking.exporting.signature import Slot

Axis = tuple[int, int]  # the place of an input, and its axis
ROWS, STEPS, OTHER = 2, 6, 7


class Sizes:
    """The name of the size of each open axis; `batch` for the rows.

    `names` maps an axis to the name. `groups` are the names without `batch`.
    """

    def __init__(self, names: dict[Axis, str]) -> None:
        self.names = names
        self.groups = list(dict.fromkeys(names.values()))

    def shape(self, place: int, slot: Slot) -> tuple[int | str, ...]:
        """The shape of an input, with the names of its open sizes."""
        return tuple(
            "batch" if axis == 0 else self.names.get((place, axis), size or 0)
            for axis, size in enumerate(slot.shape)
        )

    def sized(
        self, place: int, slot: Slot, rows: int, sizes: dict[str, int]
    ) -> tuple[int, ...]:
        """The shape of an input in a batch of these sizes."""
        known = {"batch": rows, **sizes}
        return tuple(
            known[n] if isinstance(n, str) else n
            for n in self.shape(place, slot)
        )


def find_sizes(model: Any, signature: Signature) -> Sizes:
    """Finds by calls of the model which open axes must have one size."""
    axes = [
        (place, axis)
        for place, slot in enumerate(signature.slots)
        for axis, size in enumerate(slot.shape)
        if axis > 0 and size is None
    ]
    if len(axes) < 2:
        return Sizes(_named([[axis] for axis in axes]))
    tied = [a for a in axes if not _runs(model, signature, [a])]
    groups = [[a] for a in axes if a not in tied]
    while tied:
        group = tied
        for other in tied[1:]:
            fewer = [a for a in group if a != other]
            if _runs(model, signature, fewer):
                group = fewer
        groups.append(group)
        tied = [a for a in tied if a not in group]
    return Sizes(_named(sorted(groups)))


def _named(groups: list[list[Axis]]) -> dict[Axis, str]:
    first = [g for g in groups if all(axis == 1 for _, axis in g)]
    names, steps, others = {}, 0, 0
    for group in groups:
        if group in first:
            steps += 1
            name = "steps" if len(first) == 1 else f"steps_{steps}"
        else:
            others += 1
            name = f"size_{others}"
        names.update(dict.fromkeys(group, name))
    return names


def _runs(model: Any, signature: Signature, longer: list[Axis]) -> bool:
    arrays = []
    for place, slot in enumerate(signature.slots):
        shape = [
            ROWS
            if axis == 0
            else (OTHER if (place, axis) in longer else STEPS)
            if size is None
            else size
            for axis, size in enumerate(slot.shape)
        ]
        arrays.append(np.ones(shape, slot.dtype))
    try:
        model(signature.pack(arrays), training=False)
    except Exception:
        return False
    return True
