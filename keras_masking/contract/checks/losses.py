"""Losses: padding adds nothing, however the batch is made."""

import numpy as np

from keras_masking.contract.harness import score_batches
from keras_masking.contract.harness.loss_harness import LossHarness
from keras_masking.contract.harness.score_checks import require_equal_padding
from keras_masking.contract.harness.score_checks import (
    require_equal_with_empty_row,
)
from keras_masking.contract.harness.score_checks import require_longer
from keras_masking.contract.harness.score_checks import (
    require_no_weights_at_padding,
)
from keras_masking.contract.harness.score_checks import require_runs
from keras_masking.contract.harness.score_harness import alike
from keras_masking.contract.harness.score_harness import require_alike
from keras_masking.contract.harness.score_harness import text
from keras_masking.contract.harness.score_harness import where
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check

AFTER = ("loss-runs",)


@check("required", kind="loss", after=())
def check_loss_runs(harness: LossHarness) -> None:
    """With a mask the loss is finite and depends on real steps.

    With a mask that is all True it is the loss without a mask.

    Why: Keras hands the mask of a model's output to its loss, on the
        predictions.
    Cause: the loss does not take targets and predictions `(batch, steps, ...)`,
        or does not give a number for each step, by which Keras multiplies the
        mask. If it needs other targets, pass `y_true` and `y_pred`.
    Wrong:
        return ops.mean(ops.square(y_true - y_pred))
    Right:
        return ops.mean(ops.square(y_true - y_pred), axis=-1)
    """
    require_runs(harness)


@check("required", kind="loss", after=AFTER)
def check_loss_pad_value(harness: LossHarness) -> None:
    """Finite targets and predictions at padding do not change the loss.

    The padding may be on the right, on the left or in holes. The values are
    those of other steps, and 0.

    Why: what stands at padding depends on who made the batch. A model trained
        with such a loss learns to predict padding.
    Cause: the loss has its own `__call__` and does not read the mask of
        `y_pred`, or compares whole sequences, or is NaN for predictions of 0:
        Keras multiplies by the mask, and NaN * 0 is NaN.
    Wrong:
        loss = MyLoss()
    Right:
        loss = keras_masking.losses.MaskedLoss(MyLoss())
    """
    require_equal_padding(harness)


@check("required", kind="loss", after=AFTER)
def check_loss_more_padding(harness: LossHarness) -> None:
    """More padding steps do not change the loss.

    Why: the length of a batch is that of its longest sequence. A loss that
        depends on it gives each sequence a weight that its neighbours decide.
    Cause: the sum is divided by the number of all steps, not of the real ones.
    Wrong:
        return ops.sum(losses * mask) / ops.cast(ops.size(mask), losses.dtype)
    Right:
        count = ops.sum(ops.cast(mask, losses.dtype))
        return ops.divide_no_nan(ops.sum(losses * mask), count)
    """
    require_longer(harness)


@check("required", kind="loss", after=AFTER)
def check_loss_alone_equals_batched(harness: LossHarness) -> None:
    """The losses of rows alone, without padding, combine to that of the batch.

    A sum is their sum. A mean is their mean, weighted by the numbers of real
    steps, or of rows.

    Why: the loss of a model must not depend on how its data are cut into
        batches.
    Cause: a mean over the steps of each row counts its padding, or a row of a
        single step counts as much as a long one in one place and not in
        another.
    Wrong:
        per_row = ops.mean(losses * mask, axis=1)
    Right:
        loss = keras_masking.losses.MaskedLoss(MyLoss())
    """
    harness.needs_rows()
    batch = harness.batch
    lone = [score_batches.alone(batch, r) for r in range(batch.rows)]
    parts = np.array([harness.value(b) for b in lone])
    counts = batch.real.sum(axis=1)
    if harness.adds:
        expected = {"sum": parts.sum()}
    else:
        expected = {
            "mean by real steps": (parts * counts).sum() / counts.sum(),
            "mean by rows": parts.mean(),
        }
    whole = harness.base
    if not any(alike(whole, np.asarray(x)) for x in expected.values()):
        found = " and ".join(f"a {k} of {x:.6g}" for k, x in expected.items())
        raise ContractViolation(
            f"the batch has a loss of {text(whole)}; its rows alone have "
            f"{text(parts)}, which is {found}",
            where(batch),
        )


@check("required", kind="loss", after=AFTER)
def check_loss_empty_row(harness: LossHarness) -> None:
    """A row without a real step adds nothing to the loss.

    Why: empty rows occur: an empty document, or rows that fill up a batch.
    Cause: a division by the number of real steps of the row, which is 0, or a
        mean over rows that counts the empty one.
    Wrong:
        per_row = ops.sum(losses * mask, axis=1) / ops.sum(mask, axis=1)
    Right:
        loss = keras_masking.losses.MaskedLoss(MyLoss())
    """
    require_equal_with_empty_row(harness)


@check("required", kind="loss", after=AFTER)
def check_loss_sample_weight(harness: LossHarness) -> None:
    """Weights of sequences and of steps multiply the losses of real steps.

    `sample_weight` is `(batch,)` or `(batch, steps)`. Weights at padding have
    no effect. A mean divides by the number of real steps, or, with the
    reduction `"mean_with_sample_weight"`, by the sum of their weights.

    Why: rare sequences, long ones, or sure labels get a weight. Keras takes
        weights of shape `(batch,)` for weights of steps where predictions have
        a mask.
    Cause: the weights are multiplied by the mask without an axis for steps, or
        weights at padding enter the sum by which the mean is divided.
    Wrong:
        weights = sample_weight * mask
    Right:
        loss = keras_masking.losses.MaskedLoss(MyLoss())
    """
    harness.needs_losses_of_steps()
    batch = harness.batch
    rng = np.random.default_rng(harness.seed + 1)
    for shape in ((batch.rows,), batch.real.shape):
        weights = rng.uniform(0.5, 2, shape).round(1).astype("float32")
        spread = weights[:, None] if len(shape) == 1 else weights
        spread = np.where(batch.real, spread, 0)
        weighed = float((spread * harness.step_losses).sum())
        by_weight = reduction_of(harness) == "mean_with_sample_weight"
        count = spread.sum() if by_weight else batch.real.sum()
        expected = weighed if harness.adds else weighed / count
        found = harness.value(batch, weights)
        if not alike(found, np.asarray(expected)):
            name = "(batch,)" if len(shape) == 1 else "(batch, steps)"
            raise ContractViolation(
                f"with weights {name} the loss is {text(found)}; the losses of "
                f"the steps, times their weights, give {expected:.6g}",
                where(batch),
            )
    # The weights are those of the steps now.
    require_no_weights_at_padding(harness, found, weights)


@check("required", kind="loss", after=AFTER)
def check_loss_save_load(harness: LossHarness) -> None:
    """A loss that is serialized and loaded again has its config and its number.

    Why: a saved model contains its compiled loss.
    Cause: `get_config` omits an argument of `__init__`.
    Wrong:
        def get_config(self): return {"name": self.name}
    Right:
        def get_config(self):
            return {**super().get_config(), "delta": self.delta}
    """
    loaded = harness.loaded(harness.loss)
    batch = harness.batch
    found = np.asarray(harness.output(loaded, batch).sum(dtype="float64"))
    require_alike(harness.base, found, "after saving and loading", batch)


@check("required", kind="loss", after=(*AFTER, "loss-save-load"))
def check_loss_reductions(harness: LossHarness) -> None:
    """Each `reduction` sums or averages the losses of real steps.

    `"sum"` is the sum, `"mean"`, `"sum_over_batch_size"` and, without weights,
    `"mean_with_sample_weight"` the sum divided by the number of real steps, and
    None a loss for each step or row, 0 at padding.

    Why: who changes the reduction expects the same losses, combined otherwise.
    Cause: the class has its own `__call__`, which ignores `self.reduction` or
        the mask for some of them.
    Wrong:
        return ops.mean(losses)
    Right:
        leave `__call__` to `keras.losses.Loss` and write `call`
    """
    if harness.case.of_functions:
        raise NotApplicable("a function has no `reduction`")
    config = harness.loss.get_config()
    if "reduction" not in config:
        raise NotApplicable("it has no `reduction`")
    harness.needs_losses_of_steps()
    batch = harness.batch
    losses, count = harness.step_losses, batch.real.sum()
    mean = losses.sum() / count
    for reduction, expected in (
        ("sum", losses.sum()),
        ("mean", mean),
        ("sum_over_batch_size", mean),
        ("mean_with_sample_weight", mean),
        (None, losses.sum()),
    ):
        loss = type(harness.loss).from_config(
            {**config, "reduction": reduction}
        )
        output = harness.output(loss, batch)
        named = f"with reduction={reduction!r}"
        if reduction is None and output.ndim == 0:
            raise ContractViolation(f"{named} it returns a single number")
        if reduction is not None and output.ndim:
            raise ContractViolation(
                f"{named} it returns an array {output.shape}, not a number"
            )
        found = np.asarray(output.sum(dtype="float64"))
        if not alike(found, np.asarray(expected)):
            raise ContractViolation(
                f"{named} the loss is {text(found)}; the losses of the steps "
                f"give {expected:.6g}",
                where(batch),
            )


def reduction_of(harness: LossHarness) -> str | None:
    found: str | None = getattr(harness.loss, "reduction", "unknown")
    return found
