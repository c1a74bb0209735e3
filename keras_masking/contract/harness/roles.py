"""Infers the role of a layer from its outputs."""

from keras_masking.contract.harness import batches
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import NotApplicable


def infer_role(harness: LayerHarness) -> str:
    """The role of a layer whose author did not declare one.

    Never `"drops"`: a layer that keeps its steps but returns no mask has lost
    it, unless its author declares that this is intended.
    """
    if _makes_a_mask(harness):
        return "generates"
    if not any(harness.has_steps):
        return "reduces"
    masked = sum(mask is not None for mask in harness.batch.masks)
    if masked > 1 and harness.argument is None:
        return "merges"
    return "passes" if harness.keeps_steps else "transforms"


def _makes_a_mask(harness: LayerHarness) -> bool:
    """Whether an output has a mask with padding, though no input has a mask."""
    for batch in (
        harness.batch,
        *(batches.fill(harness.batch, v) for v in (0, 1)),
    ):
        try:
            result = harness.run(batches.without_masks(batch))
        except (CallFailed, NotApplicable):
            return False
        if any(mask is not None and not mask.all() for mask in result.masks):
            return True
    return False
