"""Losses in training: `fit`, and gradients."""

import numpy as np

from keras_masking.contract.checks.losses import AFTER
from keras_masking.contract.checks.losses import reduction_of
from keras_masking.contract.harness import score_batches
from keras_masking.contract.harness.loss_harness import LossHarness
from keras_masking.contract.harness.score_batches import ScoreBatch
from keras_masking.contract.harness.score_checks import invalid_targets
from keras_masking.contract.harness.score_checks import (
    require_equal_with_invalid_targets,
)
from keras_masking.contract.harness.score_harness import alike
from keras_masking.contract.harness.score_harness import require_alike
from keras_masking.contract.harness.score_harness import text
from keras_masking.contract.harness.score_harness import where
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check


@check("required", kind="loss", after=AFTER)
def check_loss_fit(harness: LossHarness) -> None:
    """`fit` and `evaluate` report the loss of a call, and gradients are finite.

    Why: this is what the loss is for.
    Cause: an operation without a gradient, Python code that needs values, or a
        mask that is read elsewhere than from `y_pred` in `__call__`.
    Wrong:
        if float(ops.sum(mask)) == 0: return 0.0
    Right:
        return ops.divide_no_nan(ops.sum(losses * mask), ops.sum(mask))
    """
    if reduction_of(harness) in (None, "none"):
        raise NotApplicable("without a reduction `fit` cannot use it")
    harness.needs_gradients()
    batch = harness.batch
    evaluated = np.asarray(harness.model.evaluate(batch)["loss"])
    require_alike(harness.base, evaluated, "from a call to `evaluate`", batch)
    fitted = np.asarray(harness.model.fit(batch))
    require_alike(harness.base, fitted, "from a call to `fit`", batch)
    gradient = harness.gradient(batch)
    _require_finite_gradient(gradient, "after a step of `fit`", batch)
    if not gradient.any():
        raise ContractViolation("the gradient of the predictions is 0")


@check("required", kind="loss", after=(*AFTER, "loss-fit"))
def check_loss_nan_targets(harness: LossHarness) -> None:
    """NaN targets at padding change neither the loss nor its gradients.

    Of integers, -1, which is no class.

    Why: missing values are stored as NaN and padded classes as -1. One NaN in a
        loss or gradient makes all weights NaN.
    Cause: Keras multiplies the losses by the mask, and NaN * 0 is NaN. A
        `where` after the loss makes the loss finite, but not its gradient:
        replace the targets before.
    Wrong:
        loss = MyLoss()
    Right:
        loss = keras_masking.losses.MaskedLoss(MyLoss())
    """
    require_equal_with_invalid_targets(harness)
    value = invalid_targets(harness.batch)
    other = score_batches.fill(harness.batch, y_true=value)
    first, second = map(harness.gradient, (harness.batch, other))
    _require_finite_gradient(second, f"targets at padding are {value:g}", other)
    what = f"targets at padding become {value:g}, the gradient"
    # A difference of predictions, with their rounding.
    require_alike(first, second, what, other, harness.rounding)


@check("required", kind="loss", after=(*AFTER, "loss-fit"))
def check_loss_all_empty_batch(harness: LossHarness) -> None:
    """A batch without a real step has loss 0 and gradients 0.

    Why: it occurs where batches are bucketed, filtered or split. NaN there ends
        a training run.
    Cause: a division by the number of real steps of the batch, which is 0.
    Wrong:
        return ops.sum(losses * mask) / ops.sum(mask)
    Right:
        return ops.divide_no_nan(ops.sum(losses * mask), ops.sum(mask))
    """
    every = [*range(harness.batch.rows)]
    batch = score_batches.empty_rows(harness.batch, every)
    found = harness.value(batch)
    if not alike(found, np.zeros_like(found)):
        raise ContractViolation(f"the loss is {text(found)}", where(batch))
    gradient = harness.gradient(batch)
    _require_finite_gradient(gradient, "no step is real", batch)
    if gradient.any():
        raise ContractViolation(
            f"the gradient is up to {np.abs(gradient).max():g}, not 0",
            where(batch),
        )


@check("required", kind="loss", after=(*AFTER, "loss-empty-row", "loss-fit"))
def check_loss_split(harness: LossHarness) -> None:
    """The gradients of parts, weighted by their steps, add up to the batch's.

    The parts are micro-batches, or the rows that replicas get. Of a sum, the
    gradients add up as they are. Of a mean, they are weighted by the numbers of
    real steps, or of rows, whichever makes the losses add up.

    Why: accumulation and replicas average the gradients of parts. With these
        weights (`keras_masking.batching.split_weights`) a model takes the step
        of the whole batch, but only if they are all that the parts depend on.
    Cause: a statistic of the batch changes the gradient: its largest loss, a
        norm, a selection of hard examples. Or the gradient is a mean over rows,
        and the loss a mean over steps.
    Wrong:
        losses = losses / ops.stop_gradient(ops.max(losses))
    Right:
        return ops.mean(ops.square(y_true - y_pred), axis=-1)
    """
    harness.needs_rows()
    batch = harness.batch
    rows = [*range(batch.rows)]
    parts = [score_batches.empty_rows(batch, r) for r in (rows[1:], rows[:1])]
    weights = {"a sum": [1.0, 1.0]}
    if not harness.adds:
        steps = [part.real.sum() for part in parts]
        filled = [part.real.any(axis=1).sum() for part in parts]
        weights = {
            "a mean over steps": [n / sum(steps) for n in steps],
            "a mean over rows": [n / sum(filled) for n in filled],
        }
    losses = [harness.value(part) for part in parts]
    gradients = [harness.gradient(part) for part in parts]
    whole = harness.gradient(batch)
    for kind, (first, second) in weights.items():
        found = first * losses[0] + second * losses[1]
        if not alike(harness.base, found):
            continue
        found = first * gradients[0] + second * gradients[1]
        # A difference of predictions, with their rounding.
        if not alike(whole, found, 2 * harness.rounding):
            off = np.abs(whole - found).max()
            raise ContractViolation(
                f"the loss is {kind}, its gradient is not: those of row 0 and "
                f"of the other rows miss that of the batch by {off:.6g} of "
                f"{np.abs(whole).max():.6g}",
                where(batch),
            )
        return
    raise ContractViolation(
        f"the batch has a loss of {text(harness.base)}, row 0 alone one of "
        f"{text(losses[0])} and the other rows one of {text(losses[1])}",
        where(batch),
    )


def _require_finite_gradient(
    gradient: np.ndarray, what: str, batch: ScoreBatch
) -> None:
    if not np.isfinite(gradient).all():
        bad = int((~np.isfinite(gradient)).sum())
        raise ContractViolation(
            f"{what}: {bad} of {gradient.size} gradients of the predictions "
            f"are not finite",
            where(batch),
        )
