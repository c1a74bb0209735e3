"""Where the inputs of a model have padding, by the masks of a run."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_masking import array_compare
from keras_masking.inspector.measuring.changed_inputs import flat
from keras_masking.inspector.measuring.regions import Masks
from keras_masking.inspector.measuring.regions import as_mask
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.inputs import is_mask
from keras_masking.inspector.watching.runs import Run


def find_padding(inputs: Inputs, base: Run, masks: Masks) -> Inputs:
    """The inputs, with the mask that applies to each.

    A mask applies to an input that carries it, or from which a layer makes it;
    otherwise if it is the only mask with as many steps, none among the inputs
    included. What a user passed stays.
    """
    found: list[np.ndarray | None] = [
        padding if source else mask
        for mask, padding, source in zip(
            inputs.masks, inputs.padding, inputs.sources
        )
    ]
    for call in base.root.walk():
        made = [as_mask(s) for s in call.outputs]
        if call.children or not made or made[0] is None:
            continue
        if any(s.mask is not None for s in call.inputs):
            continue
        for slot in call.inputs:
            for i, x in enumerate(inputs.leaves):
                if found[i] is None and holds(slot.tensor, x, made[0]):
                    found[i] = made[0]
    for i, x in enumerate(inputs.leaves):
        if found[i] is None and x.ndim > 1 and i not in inputs.aside:
            mask = masks.get(x.shape[1])
            fits = mask is not None and mask.shape == x.shape[:2]
            if mask is not None and fits and not _disputed(inputs, mask):
                found[i] = mask
    return replace(inputs, padding=tuple(found))


def _disputed(inputs: Inputs, mask: np.ndarray) -> bool:
    """Whether an input is another mask of as many steps.

    Then it is not known to which inputs each of them applies.
    """
    return any(
        x.shape == mask.shape
        and (x.dtype.kind == "b" or "mask" in name)
        and bool(((x == 0) | (x == 1)).all())
        and not is_mask(x, mask)
        and not (x == x.flat[0]).all()
        for x, name in zip(inputs.leaves, inputs.names)
    )


def holds(tensor: Any, x: np.ndarray, mask: np.ndarray) -> bool:
    """Whether a tensor is an input whose shape a mask fits."""
    if tuple(tensor.shape) != x.shape or mask.shape != x.shape[: mask.ndim]:
        return False
    return bool(
        np.array_equal(array_compare.as_array(tensor), x, equal_nan=True)
    )


def sides(inputs: Inputs) -> tuple[bool, bool]:
    """Whether rows have padding on the left, and whether on the right."""
    left = right = False
    for mask in inputs.padding:
        if mask is not None:
            steps = flat(mask)
            some = steps[steps.any(axis=1)]
            left = left or not some[:, 0].all()
            right = right or not some[:, -1].all()
    return left, right


def has_no_padding(inputs: Inputs) -> bool:
    """Whether the batch has no padding at all."""
    return all(m is None or bool(m.all()) for m in inputs.padding)
