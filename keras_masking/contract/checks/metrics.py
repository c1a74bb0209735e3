"""Metrics: padding counts nowhere, however the batch is made."""

import numpy as np

from keras_masking.contract.harness import score_batches
from keras_masking.contract.harness.metric_harness import MetricHarness
from keras_masking.contract.harness.score_checks import require_equal_padding
from keras_masking.contract.harness.score_checks import (
    require_equal_with_empty_row,
)
from keras_masking.contract.harness.score_checks import (
    require_equal_with_invalid_targets,
)
from keras_masking.contract.harness.score_checks import require_longer
from keras_masking.contract.harness.score_checks import (
    require_no_weights_at_padding,
)
from keras_masking.contract.harness.score_checks import require_runs
from keras_masking.contract.harness.score_harness import alike
from keras_masking.contract.harness.score_harness import numbers
from keras_masking.contract.harness.score_harness import require_alike
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check

AFTER = ("metric-runs",)


@check("required", kind="metric", after=())
def check_metric_runs(harness: MetricHarness) -> None:
    """With a mask the metric is finite and depends on real steps.

    With a mask that is all True it is the metric without a mask.

    Why: in `evaluate` the predictions of a model carry its mask.
    Cause: `update_state` does not take targets and predictions `(batch, steps,
        ...)`. If the metric needs other targets, pass `y_true` and `y_pred`.
    Wrong:
        metric = MyMetric()
    Right:
        metric = keras_masking.metrics.MaskedMetric(MyMetric())
    """
    require_runs(harness)


@check("required", kind="metric", after=AFTER)
def check_metric_pad_value(harness: MetricHarness) -> None:
    """Finite targets and predictions at padding do not change the metric.

    The padding may be on the right, on the left or in holes. The values are
    those of other steps, and 0.

    Why: padding is often easy to predict, so that a metric which counts it
        looks better than the model is.
    Cause: `update_state` does not read the mask that `y_pred` carries. In Keras
        precision, recall, AUC, F1, IoU and others do not.
    Wrong:
        metric = MyMetric()
    Right:
        metric = keras_masking.metrics.MaskedMetric(MyMetric())
    """
    require_equal_padding(harness)


@check("required", kind="metric", after=AFTER)
def check_metric_nan_targets(harness: MetricHarness) -> None:
    """NaN targets at padding do not change the metric.

    Of integers, -1, which is no class.

    Why: missing values are stored as NaN and padded classes as -1. One NaN in
        the state of a metric makes the result of the whole epoch NaN.
    Cause: the values are multiplied by the mask, and NaN * 0 is NaN.
    Wrong:
        metric = MyMetric()
    Right:
        metric = keras_masking.metrics.MaskedMetric(MyMetric())
    """
    require_equal_with_invalid_targets(harness)


@check("required", kind="metric", after=AFTER)
def check_metric_more_padding(harness: MetricHarness) -> None:
    """More padding steps do not change the metric.

    Why: the length of a batch is that of its longest sequence.
    Cause: the sum is divided by the number of all steps, or each row counts
        its mean over all steps.
    Wrong:
        self.count.assign_add(ops.size(values))
    Right:
        self.count.assign_add(ops.sum(ops.cast(mask, self.dtype)))
    """
    require_longer(harness)


@check("required", kind="metric", after=AFTER)
def check_metric_split(harness: MetricHarness) -> None:
    """Updates with each row alone, without padding, give that of the batch.

    Why: the metric of a data set must not depend on how it is cut into batches.
    Cause: the state holds a mean of means, not a sum and a count of steps.
    Wrong:
        self.total.assign_add(ops.mean(values))
        self.count.assign_add(1)
    Right:
        self.total.assign_add(ops.sum(values * mask))
        self.count.assign_add(ops.sum(mask))
    """
    harness.needs_rows()
    batch = harness.batch
    rows = [score_batches.alone(batch, row) for row in range(batch.rows)]
    what = "from one batch to its rows alone"
    require_alike(harness.base, harness.of_batches(rows), what, batch)


@check("required", kind="metric", after=AFTER)
def check_metric_empty_row(harness: MetricHarness) -> None:
    """A row without a real step changes nothing.

    Why: empty rows occur: an empty document, or rows that fill up a batch.
    Cause: a division by the number of real steps of the row, which is 0, or a
        mean over rows that counts the empty one.
    Wrong:
        per_row = ops.sum(values * mask, axis=1) / ops.sum(mask, axis=1)
    Right:
        metric = keras_masking.metrics.MaskedMetric(MyMetric())
    """
    require_equal_with_empty_row(harness)


@check("required", kind="metric", after=AFTER)
def check_metric_all_empty_batch(harness: MetricHarness) -> None:
    """A batch without a real step changes nothing.

    After it alone the metric is that of no batch at all.

    Why: it occurs where batches are bucketed, filtered or split.
    Cause: a division by the number of real steps of the batch, which is 0.
    Wrong:
        self.total.assign_add(ops.sum(values * mask) / ops.sum(mask))
    Right:
        self.total.assign_add(ops.sum(values * mask))
        self.count.assign_add(ops.sum(mask))
    """
    batch = harness.batch
    empty = score_batches.empty_rows(batch, [*range(batch.rows)])
    both = harness.of_batches([batch, empty])
    require_alike(harness.base, both, "after a batch without real steps", empty)
    try:
        new = numbers(harness.new().result())
    except Exception:
        return  # it is built by its first batch, and has no result before
    what = "from a new metric to one with a batch without real steps"
    require_alike(new, harness.value(empty), what, empty)


@check("required", kind="metric", after=AFTER)
def check_metric_sample_weight(harness: MetricHarness) -> None:
    """A weight of 2 counts a real step twice, and a weight of 0 leaves it out.

    Or its value counts twice, and the step once. `sample_weight` is `(batch,)`
    or `(batch, steps)`. Weights at padding have no effect. A metric of whole
    sequences, which depends on the order of their steps, takes `(batch,)`: a
    weight of 2 counts the sequence twice.

    Why: a metric in `weighted_metrics` gets the weights of `evaluate`. Keras
        takes weights of shape `(batch,)` for weights of steps where predictions
        have a mask.
    Cause: the weights are multiplied by the mask without an axis for steps, or
        the number of steps is counted without their weights.
    Wrong:
        weights = sample_weight * mask
    Right:
        metric = keras_masking.metrics.MaskedMetric(MyMetric())
    """
    batch = harness.batch
    if not harness.takes_weights:
        raise NotApplicable("`update_state` has no `sample_weight`")
    # The first row, and the first step of each row, count twice.
    by_row = np.ones((batch.rows, 1), "float32")
    by_row[0] = 2
    if batch.rows > 2:
        by_row[1] = 0
    if harness.of_sequences:
        rows = np.repeat(np.arange(batch.rows), by_row[:, 0].astype(int))
        expected = harness.value(score_batches.take_rows(batch, [*rows]))
        found = harness.value(batch, by_row[:, 0])
        what = "from repeated sequences to weights (batch,) of 0, 1 and 2"
        require_alike(expected, found, what, batch)
        return
    by_step = np.ones(batch.real.shape, "float32")
    by_step[:, 0] = 2
    by_step[0, 1] = 0
    for weights, given in ((by_row, by_row[:, 0]), (by_step, by_step)):
        every = np.where(batch.real, weights, 0)
        expected = harness.value(score_batches.repeated(batch, every))
        name = "(batch,)" if given.ndim == 1 else "(batch, steps)"
        what = f"from repeated steps to weights {name} of 0, 1 and 2"
        found = harness.value(batch, given)
        by_count = expected * every.sum() / (every > 0).sum()
        if not alike(by_count, found):
            require_alike(expected, found, what, batch)
    # The weights are those of the steps now.
    require_no_weights_at_padding(harness, found, by_step)


@check("required", kind="metric", after=AFTER)
def check_metric_reset(harness: MetricHarness) -> None:
    """After `reset_state` nothing of earlier batches is left.

    Why: Keras resets metrics before each epoch and each `evaluate`.
    Cause: `reset_state` leaves out a variable, or the state is no variable.
    Wrong:
        def reset_state(self): self.total.assign(0)
    Right:
        def reset_state(self):
            self.total.assign(0)
            self.count.assign(0)
    """
    batch = harness.batch
    metric = harness.new()
    try:
        for one in (score_batches.without_mask(batch), batch):
            metric.reset_state()
            harness.update(metric, one)
        found = numbers(metric.result())
    except Exception as error:
        raise CallFailed(error, "`reset_state` and an update") from error
    what = "from a new metric to one that was reset"
    require_alike(harness.base, found, what, batch)


@check("required", kind="metric", after=AFTER)
def check_metric_save_load(harness: MetricHarness) -> None:
    """A metric that is serialized and loaded again has its config and result.

    Why: a saved model contains its compiled metrics.
    Cause: `get_config` omits an argument of `__init__`.
    Wrong:
        def get_config(self): return {"name": self.name}
    Right:
        def get_config(self):
            return {**super().get_config(), "threshold": self.threshold}
    """
    loaded = harness.loaded(harness.new())
    harness.update(loaded, harness.batch)
    found = numbers(loaded.result())
    what = "after saving and loading"
    require_alike(harness.base, found, what, harness.batch)


@check("required", kind="metric", after=AFTER)
def check_metric_evaluate(harness: MetricHarness) -> None:
    """`evaluate` reports the result of direct updates.

    Why: this is what the metric is for.
    Cause: Python code that needs values, which a compiled model does not have,
        or state that is no variable.
    Wrong:
        self.seen += len(y_pred)
    Right:
        self.seen = self.add_variable((), "zeros", name="seen")
    """
    batch = harness.batch
    found = harness.model.evaluate(batch)
    found.pop("loss")
    what = "from updates to `evaluate`"
    require_alike(harness.base, numbers(found), what, batch)
