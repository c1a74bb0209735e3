"""Losses that break a rule on purpose."""

import keras
from keras import ops

from keras_masking._keras import get_mask
from keras_masking.contract import LossCase
from tests.contract.broken import Broken
from tests.contract.broken import scores

GRAPHS = ("tensorflow", "jax")


class Sound(scores.Steps, keras.losses.Loss):
    """A squared error over real steps; the others break it."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        mask = self.read(y_pred)
        y_true = ops.cast(ops.convert_to_tensor(y_true), self.dtype)
        losses = self.call(self.clean(y_true, mask), y_pred)
        losses = self.select(losses, mask)
        weights = self.weigh(sample_weight, losses)
        return self.reduce(losses * weights, weights, mask)

    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

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


class RefusesMasks(scores.Refuses, Sound):
    pass


class TwiceWithMask(Sound):
    def reduce(self, losses, weights, mask):
        return super().reduce(losses, weights, mask) * self.factor

    def read(self, y_pred):
        self.factor = 1 if get_mask(y_pred) is None else 2
        return super().read(y_pred)


class IgnoresMask(scores.Ignores, Sound):
    pass


class TakesTheFirst(scores.First, Sound):
    pass


class MultipliesByMask(scores.Uncleaned, scores.Product, Sound):
    pass


class SelectsAfterwards(scores.Uncleaned, Sound):
    """The loss is finite, its gradient is not."""


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


class NaNGradient(scores.Product, Sound):
    """`where` after a division by 0."""

    def divide(self, total, count):
        return ops.where(count > 0, total / count, 0.0)


class NoWeights(scores.Unweighted, Sound):
    pass


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


class GradientOfTheWorst(Sound):
    """The gradient of each step is divided by the largest loss."""

    def select(self, losses, mask):
        losses = super().select(losses, mask)
        worst = ops.stop_gradient(ops.max(losses))
        scaled = ops.divide_no_nan(losses, worst)
        return scaled + ops.stop_gradient(losses - scaled)


class GradientOfRows(Sound):
    """A mean over steps, with the gradient of a mean over rows."""

    def reduce(self, losses, weights, mask):
        value = super().reduce(losses, weights, mask)
        counts = ops.sum(self.counts(mask), axis=1)
        means = self.divide(ops.sum(losses, axis=1), counts)
        some = ops.sum(ops.cast(counts > 0, "float32"))
        rows = self.divide(ops.sum(means), some)
        return rows + ops.stop_gradient(value - rows)


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
        {"loss-sample-weight", "loss-reductions", "loss-split"},
    ),
    broken(
        RootOfCount,
        "loss-alone-equals-batched",
        "neither a sum nor a mean",
        {"loss-sample-weight", "loss-reductions", "loss-split"},
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
    broken(GradientOfTheWorst, "loss-split", "scales by the largest loss"),
    broken(GradientOfRows, "loss-split", "its gradient is a mean over rows"),
    broken(Detached, "loss-fit", "has no gradient"),
    broken(Rounded, "loss-fit", "its gradient is 0"),
    broken(
        AsksForValues,
        "loss-fit",
        "needs values in a graph",
        backends=GRAPHS,
    ),
]
