"""Metrics that break a rule on purpose."""

import keras
from keras import ops

from keras_masking._keras import get_mask
from keras_masking.contract import MetricCase
from tests.contract.broken import Broken
from tests.contract.broken.losses import wide


class Sound(keras.metrics.Metric):
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

    def read(self, y_pred):
        mask = get_mask(y_pred)
        return ops.ones(y_pred.shape[:2], "bool") if mask is None else mask

    def clean(self, y_true, mask):
        return ops.where(wide(mask, y_true), y_true, 0)

    def select(self, values, mask):
        return ops.where(mask, values, 0)

    def weigh(self, sample_weight, values):
        if sample_weight is None:
            return ops.ones_like(values)
        weights = ops.cast(sample_weight, values.dtype)
        if len(weights.shape) == 1:
            weights = weights[:, None]
        return ops.broadcast_to(weights, values.shape)

    def add(self, values, weights, mask):
        self.total.assign_add(ops.sum(values * weights))
        self.count.assign_add(ops.sum(weights * mask))

    def result(self):
        return ops.divide_no_nan(self.total, self.count)


class RefusesMasks(Sound):
    def read(self, y_pred):
        if get_mask(y_pred) is not None:
            raise ValueError("no masks, please")
        return super().read(y_pred)


class TwiceWithMask(Sound):
    def update_state(self, y_true, y_pred, sample_weight=None):
        self.factor = 1 if get_mask(y_pred) is None else 2
        super().update_state(y_true, y_pred, sample_weight)

    def select(self, values, mask):
        return super().select(values, mask) * self.factor


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

    def select(self, values, mask):
        return values * ops.cast(mask, values.dtype)


class MultipliesTargets(Sound):
    def clean(self, y_true, mask):
        return y_true * ops.cast(wide(mask, y_true), y_true.dtype)

    def select(self, values, mask):
        return values * ops.cast(mask, values.dtype)


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


class NoWeights(Sound):
    def weigh(self, sample_weight, values):
        return ops.ones_like(values)


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
