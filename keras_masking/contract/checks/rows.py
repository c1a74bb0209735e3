"""The rows of a batch are independent."""

from keras_masking.contract.harness import batches
from keras_masking.contract.harness.compare import require_equal_runs
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check


@check("required")
def check_batch_independence(harness: LayerHarness) -> None:
    """A row's output does not depend on the other rows' values or masks.

    Why: which rows share a batch is chance. (For inference only: batch
        statistics in training are intended.)
    Cause: a reduction over the batch axis, such as the longest length of the
        batch or `ops.any(mask)`, affects each row.
    Wrong:
        count = ops.max(ops.sum(mask, axis=1))
    Right:
        count = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    """
    if harness.batch.rows < 2:
        raise NotApplicable("the inputs have one row")
    for row in (0, harness.batch.rows - 1):
        for kind in ("left", "full", "nothing"):
            other = batches.fill(harness.masked(kind), 8.0)
            other = batches.change_real(other, harness.new_rng())
            mixed = batches.only_row(harness.batch, row, other)
            runs = "in its batch", f"among other rows, whose masks are {kind}"
            require_equal_runs(
                harness, harness.batch, mixed, runs, rows=[(row, row)]
            )
