"""Losses that break a rule on purpose."""

import keras
from keras import ops

from keras_masking._keras import get_mask
from keras_masking.contract import LossCase
from tests.contract.broken import Broken

GRAPHS = ("tensorflow", "jax")


def wide(mask, x):
    """A mask with the rank of x."""
    return ops.reshape(mask, (*mask.shape, *[1] * (len(x.shape) - 2)))


class Sound(keras.losses.Loss):
    """A squared error over real steps; the others break it."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        mask = self.read(y_pred)
        y_true = ops.cast(ops.convert_to_tensor(y_true), self.dtype)
        losses = self.call(self.clean(y_true, mask), y_pred)
        losses = self.select(losses, mask)
        weights = self.weigh(sample_weight, losses, mask)
        return self.reduce(losses * weights, weights, mask)

    def read(self, y_pred):
        mask = get_mask(y_pred)
        return ops.ones(y_pred.shape[:2], "bool") if mask is None else mask

    def clean(self, y_true, mask):
        return ops.where(wide(mask, y_true), y_true, 0)

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    def select(self, losses, mask):
        return ops.where(mask, losses, 0)

    def weigh(self, sample_weight, losses, mask):
        if sample_weight is None:
            return ops.ones_like(losses)
        weights = ops.cast(sample_weight, losses.dtype)
        if len(weights.shape) == 1:
            weights = weights[:, None]
        return ops.broadcast_to(weights, losses.shape)

    def reduce(self, losses, weights, mask):
        if self.reduction in (None, "none"):
            return losses
        total = ops.sum(losses)
        if self.reduction == "sum":
            return total
        counts = self.counts(mask)
        if self.reduction == "mean_with_sample_weight":
            counts = counts * weights
        return self.divide(total, ops.sum(counts))

    def counts(self, mask):
        return ops.cast(mask, "float32")

    def divide(self, total, count):
        return ops.divide_no_nan(total, count)


class RefusesMasks(Sound):
    def read(self, y_pred):
        if get_mask(y_pred) is not None:
            raise ValueError("no masks, please")
        return super().read(y_pred)


class TwiceWithMask(Sound):
    def reduce(self, losses, weights, mask):
        return super().reduce(losses, weights, mask) * self.factor

    def read(self, y_pred):
        self.factor = 1 if get_mask(y_pred) is None else 2
        return super().read(y_pred)


class IgnoresMask(Sound):
    def read(self, y_pred):
        return ops.ones(y_pred.shape[:2], "bool")


class TakesTheFirst(Sound):
    """As many of the first steps as there are real ones."""

    def read(self, y_pred):
        mask = super().read(y_pred)
        lengths = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
        return ops.arange(mask.shape[1])[None] < lengths


class MultipliesByMask(Sound):
    def clean(self, y_true, mask):
        return y_true

    def select(self, losses, mask):
        return losses * ops.cast(mask, losses.dtype)


class SelectsAfterwards(Sound):
    """The loss is finite, its gradient is not."""

    def clean(self, y_true, mask):
        return y_true


class CountsAllSteps(Sound):
    def counts(self, mask):
        return ops.ones(mask.shape)


class DividesByLength(Sound):
    def reduce(self, losses, weights, mask):
        steps = mask.shape[1]
        return super().reduce(losses, weights, mask) / steps


class RelativeToTheWorst(Sound):
    """Each loss is divided by the largest of the batch."""

    def select(self, losses, mask):
        losses = super().select(losses, mask)
        return ops.divide_no_nan(losses, ops.max(losses))


class RootOfCount(Sound):
    def divide(self, total, count):
        return ops.divide_no_nan(total, ops.sqrt(count))


class PerRow(Sound):
    """A mean over rows of means over steps, for any reduction."""

    def reduce(self, losses, weights, mask):
        counts = ops.sum(ops.cast(mask, losses.dtype), axis=1)
        return self.mean(self.rows(ops.sum(losses, axis=1), counts), counts)

    def rows(self, totals, counts):
        return totals / ops.maximum(counts, 1)

    def mean(self, means, counts):
        return ops.mean(means)


class NaNRow(PerRow):
    def rows(self, totals, counts):
        return totals / counts


class NaNBatch(Sound):
    def divide(self, total, count):
        return total / count


class OneForNothing(Sound):
    def divide(self, total, count):
        mean = total / ops.maximum(count, 1)
        return ops.where(count > 0, mean, 1.0)


class NaNGradient(Sound):
    """`where` after a division by 0."""

    def select(self, losses, mask):
        return losses * ops.cast(mask, losses.dtype)

    def divide(self, total, count):
        return ops.where(count > 0, total / count, 0.0)


class NoWeights(Sound):
    def weigh(self, sample_weight, losses, mask):
        return ops.ones_like(losses)


class DividesByWeights(Sound):
    """Those of padding, too."""

    def reduce(self, losses, weights, mask):
        if self.reduction in (None, "none", "sum"):
            return super().reduce(losses, weights, mask)
        here = ops.where(mask, weights, ops.where(weights == 1, 0.0, weights))
        return ops.divide_no_nan(ops.sum(losses), ops.sum(here))


class AlwaysMean(Sound):
    def reduce(self, losses, weights, mask):
        return ops.divide_no_nan(ops.sum(losses), ops.sum(self.counts(mask)))


class SumsForNone(Sound):
    def reduce(self, losses, weights, mask):
        if self.reduction is None:
            return ops.sum(losses)
        return super().reduce(losses, weights, mask)


class Scaled(Sound):
    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) * self.scale


class NeedsScale(Sound):
    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)


class Detached(Sound):
    def call(self, y_true, y_pred):
        return super().call(y_true, ops.stop_gradient(y_pred))


class Rounded(Sound):
    def call(self, y_true, y_pred):
        return super().call(y_true, ops.round(y_pred * 100) / 100)


class AsksForValues(Sound):
    def divide(self, total, count):
        return total / count if float(count) else total


def broken(make, catches, why, also=(), **how):
    return Broken(LossCase(make), catches, why, frozenset(also), **how)


NO_MASK = {
    "loss-nan-targets",
    "loss-more-padding",
    "loss-alone-equals-batched",
    "loss-empty-row",
    "loss-all-empty-batch",
    "loss-sample-weight",
    "loss-reductions",
}
MEANS = {"loss-alone-equals-batched", "loss-sample-weight", "loss-reductions"}
ROWS = {"loss-reductions", "loss-sample-weight"}

BROKEN = [
    broken(RefusesMasks, "loss-runs", "raises when predictions have a mask"),
    broken(TwiceWithMask, "loss-runs", "a mask doubles the loss"),
    broken(IgnoresMask, "loss-pad-value", "ignores the mask", NO_MASK),
    broken(
        TakesTheFirst,
        "loss-pad-value",
        "counts the real steps and takes the first",
        {"loss-nan-targets", "loss-more-padding"},
    ),
    broken(MultipliesByMask, "loss-nan-targets", "NaN * 0 is NaN"),
    broken(SelectsAfterwards, "loss-nan-targets", "its gradient is NaN"),
    broken(
        CountsAllSteps,
        "loss-more-padding",
        "divides by all steps",
        {*MEANS, "loss-empty-row"},
    ),
    broken(
        DividesByLength,
        "loss-more-padding",
        "divides by the padded length",
        {*MEANS, "loss-empty-row"},
    ),
    broken(
        RelativeToTheWorst,
        "loss-alone-equals-batched",
        "a row depends on the others",
        {"loss-sample-weight", "loss-reductions"},
    ),
    broken(
        RootOfCount,
        "loss-alone-equals-batched",
        "neither a sum nor a mean",
        {"loss-sample-weight", "loss-reductions"},
    ),
    broken(PerRow, "loss-empty-row", "counts the empty row", ROWS),
    broken(
        NaNRow,
        "loss-empty-row",
        "divides by 0 in a row",
        {*ROWS, "loss-all-empty-batch"},
    ),
    broken(NaNBatch, "loss-all-empty-batch", "0 / 0"),
    broken(OneForNothing, "loss-all-empty-batch", "is 1 for nothing"),
    # XLA removes the division by 0.
    broken(
        NaNGradient,
        "loss-all-empty-batch",
        "its gradient is NaN",
        backends=("tensorflow", "torch"),
    ),
    broken(NoWeights, "loss-sample-weight", "ignores the weights"),
    broken(DividesByWeights, "loss-sample-weight", "weights of padding count"),
    broken(AlwaysMean, "loss-reductions", "ignores the reduction"),
    broken(SumsForNone, "loss-reductions", "sums without a reduction"),
    broken(
        lambda: Scaled(scale=3.0),
        "loss-save-load",
        "its config omits the scale",
    ),
    broken(
        lambda: NeedsScale(2.0),
        "loss-save-load",
        "cannot be made of its config",
    ),
    broken(Detached, "loss-fit", "has no gradient"),
    broken(Rounded, "loss-fit", "its gradient is 0"),
    broken(
        AsksForValues,
        "loss-fit",
        "needs values in a graph",
        backends=GRAPHS,
    ),
]
