"""What a layer does with a mask, seen from outside."""

from keras_masking.contract.harness import batches
from keras_masking.contract.harness.layer_harness import Bench
from keras_masking.contract.harness.layer_harness import CallFailed


def infer_role(bench: Bench) -> str:
    """The role of a layer whose author did not declare one.

    Never `"drops"`: a layer that keeps its steps and returns no mask has lost
    it, until its author says that this is meant.
    """
    if _makes_a_mask(bench):
        return "generates"
    if not any(bench.has_steps):
        return "reduces"
    if sum(mask is not None for mask in bench.batch.masks) > 1:
        return "merges"
    return "passes" if bench.keeps_steps else "transforms"


def _makes_a_mask(bench: Bench) -> bool:
    """Whether a mask comes out where none goes in, and says something."""
    if bench.case.requires_mask:
        return False
    for batch in (bench.batch, *(batches.fill(bench.batch, v) for v in (0, 1))):
        try:
            seen = bench.run(batches.without_masks(batch))
        except CallFailed:
            return False
        if any(mask is not None and not mask.all() for mask in seen.masks):
            return True
    return False
