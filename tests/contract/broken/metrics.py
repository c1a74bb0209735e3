"""Metrics that break a rule on purpose."""

import keras
from keras import ops

from keras_masking._keras import get_mask
from keras_masking.contract import MetricCase
from tests.contract.broken import Broken
from tests.contract.broken import scores


class Sound(scores.Steps, keras.metrics.Metric):
    """The mean absolute error of real steps; the others break it."""

    def __init__(self, name=None, dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        mask = self.read(y_pred)
        y_true = ops.cast(ops.convert_to_tensor(y_true), self.dtype)
        y_true = self.clean(y_true, mask)
        values = ops.mean(ops.abs(y_true - y_pred), axis=-1)
        values = self.select(values, mask)
        weights = self.weigh(sample_weight, values)
        self.add(values, weights, ops.cast(mask, self.dtype))

    def add(self, values, weights, mask):
        self.total.assign_add(ops.sum(values * weights))
        self.count.assign_add(ops.sum(weights * mask))

    def result(self):
        return ops.divide_no_nan(self.total, self.count)


class RefusesMasks(scores.Refuses, Sound):
    pass


class TwiceWithMask(Sound):
    def update_state(self, y_true, y_pred, sample_weight=None):
        self.factor = 1 if get_mask(y_pred) is None else 2
        super().update_state(y_true, y_pred, sample_weight)

    def select(self, values, mask):
        return super().select(values, mask) * self.factor


class IgnoresMask(scores.Ignores, Sound):
    pass


class TakesTheFirst(scores.First, Sound):
    pass


class MultipliesByMask(scores.Uncleaned, scores.Product, Sound):
    pass


class MultipliesTargets(scores.Product, Sound):
    def clean(self, y_true, mask):
        return y_true * ops.cast(scores.wide(mask, y_true), y_true.dtype)


class CountsAllSteps(Sound):
    def add(self, values, weights, mask):
        super().add(values, weights, ops.ones_like(mask))


class DividesByLength(Sound):
    def select(self, values, mask):
        return super().select(values, mask) / values.shape[1]


class MeanOfMeans(Sound):
    def add(self, values, weights, mask):
        count = ops.sum(weights * mask)
        mean = ops.divide_no_nan(ops.sum(values * weights), count)
        self.total.assign_add(mean)
        self.count.assign_add(self.batches(count))

    def batches(self, count):
        return ops.cast(count > 0, self.dtype)


class LastBatch(Sound):
    def add(self, values, weights, mask):
        count = ops.sum(weights * mask)
        new = count > 0
        total = ops.sum(values * weights)
        self.total.assign(ops.where(new, total, self.total.value))
        self.count.assign(ops.where(new, count, self.count.value))


class PerRow(Sound):
    """A mean over rows of means over steps."""

    def add(self, values, weights, mask):
        counts = ops.sum(weights * mask, axis=1)
        totals = ops.sum(values * weights, axis=1)
        self.total.assign_add(ops.sum(self.rows(totals, counts)))
        self.count.assign_add(values.shape[0])

    def rows(self, totals, counts):
        return ops.divide_no_nan(totals, counts)


class NaNRow(PerRow):
    def rows(self, totals, counts):
        return totals / counts


class CountsBatches(MeanOfMeans):
    def batches(self, count):
        return 1.0


class NaNBatch(Sound):
    def add(self, values, weights, mask):
        count = ops.sum(weights * mask)
        mean = ops.sum(values * weights) / count
        self.total.assign_add(mean * count)
        self.count.assign_add(count)


class NoWeights(scores.Unweighted, Sound):
    pass


class OrderedWithoutWeights(NoWeights):
    """Later steps count more, so that it is no metric of single steps."""

    def select(self, values, mask):
        place = ops.cumsum(ops.cast(mask, values.dtype), axis=1)
        return super().select(values * place, mask)


class WeighsPadding(Sound):
    """Weights above 10 count at padding as well."""

    def add(self, values, weights, mask):
        super().add(values, weights, ops.where(weights > 10, 1.0, mask))


class KeepsCount(Sound):
    def reset_state(self):
        self.total.assign(0.0)


class KeepsAll(Sound):
    def reset_state(self):
        pass


class Scaled(Sound):
    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def result(self):
        return super().result() * self.scale


class NeedsScale(Sound):
    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)


class NoWeightArgument(Sound):
    """`evaluate` passes `sample_weight=None`."""

    def update_state(self, y_true, y_pred):
        super().update_state(y_true, y_pred)


class SpendsItself(Sound):
    """`result` is called after each batch."""

    def result(self):
        result = super().result()
        self.total.assign(0.0)
        return result


def broken(make, catches, why, also=(), **how):
    return Broken(MetricCase(make), catches, why, frozenset(also), **how)


NO_MASK = {
    "metric-nan-targets",
    "metric-more-padding",
    "metric-split",
    "metric-empty-row",
    "metric-all-empty-batch",
    "metric-sample-weight",
}

BROKEN = [
    broken(RefusesMasks, "metric-runs", "raises when predictions have a mask"),
    broken(TwiceWithMask, "metric-runs", "a mask doubles the values"),
    broken(IgnoresMask, "metric-pad-value", "ignores the mask", NO_MASK),
    broken(
        TakesTheFirst,
        "metric-pad-value",
        "counts the real steps and takes the first",
        {"metric-nan-targets", "metric-more-padding", "metric-sample-weight"},
    ),
    broken(MultipliesByMask, "metric-nan-targets", "NaN * 0 is NaN"),
    broken(MultipliesTargets, "metric-nan-targets", "NaN * 0 is NaN"),
    broken(
        CountsAllSteps,
        "metric-more-padding",
        "divides by all steps",
        NO_MASK - {"metric-nan-targets"},
    ),
    broken(
        DividesByLength,
        "metric-more-padding",
        "divides by the padded length",
        {"metric-split"},
    ),
    broken(MeanOfMeans, "metric-split", "a mean of means"),
    broken(LastBatch, "metric-split", "keeps the last batch alone"),
    broken(
        PerRow,
        "metric-empty-row",
        "counts the empty row",
        {"metric-all-empty-batch", "metric-sample-weight"},
    ),
    broken(
        NaNRow,
        "metric-empty-row",
        "divides by 0 in a row",
        {"metric-all-empty-batch", "metric-sample-weight"},
    ),
    broken(
        CountsBatches,
        "metric-all-empty-batch",
        "counts an empty batch",
        {"metric-split"},
    ),
    broken(NaNBatch, "metric-all-empty-batch", "0 / 0"),
    broken(NoWeights, "metric-sample-weight", "ignores the weights"),
    broken(
        OrderedWithoutWeights,
        "metric-sample-weight",
        "ignores the weights of sequences",
    ),
    broken(WeighsPadding, "metric-sample-weight", "weights of padding count"),
    broken(KeepsCount, "metric-reset", "keeps a variable"),
    broken(KeepsAll, "metric-reset", "keeps all"),
    broken(
        lambda: Scaled(scale=3.0),
        "metric-save-load",
        "its config omits the scale",
    ),
    broken(
        lambda: NeedsScale(2.0),
        "metric-save-load",
        "cannot be made of its config",
    ),
    broken(NoWeightArgument, "metric-evaluate", "refuses `sample_weight`"),
    broken(
        SpendsItself,
        "metric-evaluate",
        "its result changes it",
        {"metric-split"},
    ),
]
