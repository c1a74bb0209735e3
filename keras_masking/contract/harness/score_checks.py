"""What the checks of losses and those of metrics share."""

import math

import numpy as np

from keras_masking.contract.harness import score_batches
from keras_masking.contract.harness.score_batches import ScoreBatch
from keras_masking.contract.harness.score_harness import ScoreHarness
from keras_masking.contract.harness.score_harness import require_alike
from keras_masking.contract.harness.score_harness import text
from keras_masking.contract.harness.score_harness import where
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable

KINDS = {
    "right": "padding on the right",
    "left": "padding on the left",
    "holes": "padding in holes",
}
ONE_MORE, MORE = 1, 3


def require_runs(harness: ScoreHarness) -> None:
    """Raises unless an example was found, and runs with a mask."""
    if not harness.example:
        refused = "; ".join(f"{k}: {v}" for k, v in harness.refused.items())
        raise ContractViolation(f"no example could be used. {refused}")
    if not np.isfinite(harness.base).all():
        raise ContractViolation(
            f"it is {text(harness.base)}", where(harness.batch)
        )
    full = score_batches.masked(harness.batch, "full")
    plain = score_batches.without_mask(full)
    what = "from no mask to one that is all True"
    require_alike(harness.value(plain), harness.value(full), what, full)


def require_equal_padding(harness: ScoreHarness) -> None:
    """Raises unless finite values at padding change nothing."""
    for kind, named in KINDS.items():
        batch = score_batches.masked(harness.batch, kind)
        first = harness.value(batch)
        for name, other in (
            ("values of other steps", score_batches.shuffled(batch)),
            ("0", score_batches.fill(batch, 0, 0)),
        ):
            what = f"{named}: targets and predictions there become {name}"
            require_alike(first, harness.value(other), what, batch)


def require_longer(harness: ScoreHarness) -> None:
    """Raises unless more padding changes nothing."""
    for more, left in ((ONE_MORE, False), (MORE, False), (MORE, True)):
        batch = score_batches.pad(harness.batch, more, left)
        side = "left" if left else "right"
        what = f"{more} more padding steps on the {side}"
        require_alike(harness.base, harness.value(batch), what, batch)


def require_equal_with_empty_row(harness: ScoreHarness) -> None:
    """Raises unless a row without a real step changes nothing."""
    harness.needs_rows()
    last = harness.batch.rows - 1
    batch = score_batches.empty_rows(harness.batch, [last])
    rest = score_batches.take_rows(batch, [*range(last)])
    what = "with an empty row"
    require_alike(harness.value(rest), harness.value(batch), what, batch)


def require_no_weights_at_padding(
    harness: ScoreHarness, found: np.ndarray, weights: np.ndarray
) -> None:
    """Raises unless weights `(batch, steps)` of padding change nothing.

    `found` is the number with these weights.
    """
    batch = harness.batch
    other = np.where(batch.real, weights, np.float32(50))
    what = "weights of 50 at padding"
    require_alike(found, harness.value(batch, other), what, batch)


def require_equal_with_invalid_targets(harness: ScoreHarness) -> None:
    """Raises unless NaN targets at padding, or -1, change nothing."""
    value = invalid_targets(harness.batch)
    for kind, named in KINDS.items():
        batch = score_batches.masked(harness.batch, kind)
        other = score_batches.fill(batch, y_true=value)
        what = f"{named}: targets there become {value:g}"
        first = harness.value(batch)
        require_alike(first, harness.value(other), what, batch)


def invalid_targets(batch: ScoreBatch) -> float:
    """What targets may hold at padding that is no target."""
    if not batch.targets_have_steps:
        raise NotApplicable("the targets have no steps")
    return math.nan if batch.y_true.dtype.kind == "f" else -1.0
