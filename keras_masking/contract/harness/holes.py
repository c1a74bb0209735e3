"""Whether a hole has a place in a layer, or is skipped."""

from dataclasses import replace

import numpy as np

from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import require_equal_real
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.layer_calls import CallOutputs


def skips_holes(harness: LayerHarness) -> bool:
    """Whether the outputs of a row may not depend on where its holes are.

    Measured on rows without padding: the order of the steps is nothing to the
    layer, or its outputs depend on the first or last step alone. In others, for
    example convolutions, a hole keeps its place.
    """
    masks = [m for m in harness.batch.masks if m is not None]
    if harness.case.columns or len({m.shape for m in masks}) > 1:
        return False
    full = harness.masked("full")
    rows, steps = full.given.shape
    if steps < 3:
        return False
    # Not an order that a symmetric weighting of the steps survives.
    order = [*range(1, steps, 2), *range(0, steps, 2)]
    try:
        return _survives(harness, full, np.array([order] * rows)) or (
            not any(harness.has_steps)
            and any(_depends_on(harness, full, step) for step in (0, steps - 1))
        )
    except (CallFailed, NotApplicable):
        return False


def _survives(harness: LayerHarness, full: Batch, order: np.ndarray) -> bool:
    """Whether the steps in another order give the outputs in that order."""
    moved = batches.reorder(full, order)
    result = harness.run(full)
    outputs = []
    for y, axes in zip(result.outputs, harness.step_axes):
        for axis in axes:
            if y.shape[axis] != order.shape[1]:
                return False
            y = np.take(y, order[0], axis)
        outputs.append(y)
    there = CallOutputs(outputs, result.masks, result.dtypes)
    return _equal(harness, (there, full), (harness.run(moved), moved))


def _depends_on(harness: LayerHarness, full: Batch, step: int) -> bool:
    """Whether outputs depend on that step alone."""
    others = np.ones(full.given.shape, bool)
    others[:, step] = False
    masks = tuple(None if m is None else others for m in full.masks)
    changed = batches.change_real(replace(full, masks=masks), harness.new_rng())
    changed = replace(changed, masks=full.masks)
    pair = (harness.run(full), full), (harness.run(changed), changed)
    return _equal(harness, *pair)


def _equal(
    harness: LayerHarness,
    first: tuple[CallOutputs, Batch],
    second: tuple[CallOutputs, Batch],
) -> bool:
    try:
        require_equal_real(harness, first, second, ("", ""))
    except ContractViolation:
        return False
    return True
