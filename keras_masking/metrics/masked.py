"""Keras metrics over real steps."""

import inspect
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops import apply_mask
from keras_masking.ops import full_mask
from keras_masking.ops.class_weights import ClassWeight
from keras_masking.ops.class_weights import WeighsClasses
from keras_masking.ops.class_weights import read_class_weight
from keras_masking.ops.class_weights import times_class_weights
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.known import check_whole_weights
from keras_masking.ops.masks import first_of_features
from keras_masking.ops.reading import expanded
from keras_masking.ops.targets import aligned
from keras_masking.ops.targets import finite_where_weighed
from keras_masking.ops.targets import read_targets
from keras_masking.ops.targets import read_weights
from keras_masking.ops.targets import samples


@export
class MaskedMetric(WeighsClasses, keras.metrics.Metric):
    """A metric over the real steps, each of which is a sample.

    In Keras precision, recall, AUC, F1, RMSE, IoU and others ignore the mask;
    accuracies and mean errors respect it, and need this wrapper only if padding
    is NaN.

    Args:
        metric: Name of a Keras metric, a `keras.metrics.Metric`, or a function
            of `y_true` and `y_pred`.
        name: Name of the metric in the logs. Defaults to the name of `metric`.
        class_weight: Dict from classes to weights, as in `MaskedLoss`: each
            step has the weight of its target class, times its `sample_weight`.
            Defaults to 1 for all classes.

    Call arguments:
        y_true: Targets, `(batch, steps, ...)`, or `(batch, steps)` for classes
            or single numbers.
        y_pred: Predictions, `(batch, steps, ...)`.
        sample_weight: `(batch,)`, a weight for each sequence, `(batch, steps)`,
            a weight for each step, or more of the first axes of `y_pred`,
            without the last. Defaults to 1. A step with weight 0 counts as
            padding. Predictions `(batch, features)` have a weight for each row;
            weights for each element are passed to `metric` unchanged. An IoU
            counts in integers, and needs whole numbers unless made with
            `dtype="float32"`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `y_pred` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`, or more of the first axes of `y_pred`. Without
            a mask every step is real. On JAX `fit` passes predictions without
            their mask to metrics (also to Keras' own), so its results on
            training data count padding; `evaluate` and `validation_data` keep
            the mask. To get both right, pass the mask as `sample_weight`, and
            the metric in `weighted_metrics`.
        Emits: none.
        Empty row: adds nothing. A batch without any real step changes nothing.
        Padding values: change nothing, even if NaN.

    Keras metric:
        Drops in for: the metric it wraps.
        Differs: predictions with three or more axes are reshaped to `(batch *
            steps, ...)`, with a weight for each step, as metrics such as
            F1Score require. An IoU treats each label of a step as a sample with
            the weight of its step.

    Returns:
        What `metric` returns.

    Raises:
        MaskShapeError: If `mask` does not fit `y_pred`, or `y_true` does not
            fit the mask.
        ValueError: If `metric` is not a metric, or takes no sample weights; if
            `sample_weight` or `class_weight` is invalid, as in `MaskedLoss`, or
            they have fractions that an integer IoU would truncate (where the
            values are known: in compiled code Keras truncates them with a
            warning).

    Example:

    >>> y_true = np.array([[[1.0], [0.0], [0.0]]])
    >>> y_pred = np.array([[[0.9], [0.2], [0.8]]])
    >>> metric = keras_masking.metrics.MaskedMetric("Precision")
    >>> metric.update_state(
    ...     y_true, y_pred, mask=np.array([[True, True, False]])
    ... )
    >>> float(metric.result())
    1.0
    """

    kind = "metric"

    def __init__(
        self,
        metric: str | keras.metrics.Metric | Callable[[Tensor, Tensor], Tensor],
        name: str | None = None,
        class_weight: ClassWeight | None = None,
    ) -> None:
        inner = _read_metric(metric)
        if name is None:  # Keras' name for a metric given by name
            name = metric if isinstance(metric, str) else inner.name
        super().__init__(name=name, dtype=inner.dtype)
        self.metric = inner
        self.class_weight = read_class_weight(self.caller, class_weight)
        if self.class_weight is not None:
            self._counted(np.array([*self.class_weight.values()]))
        if hasattr(inner, "_direction"):  # which way is better, for callbacks
            self._direction = inner._direction

    def update_state(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        y_true, y_pred, mask = read_targets(self.caller, y_true, y_pred, mask)
        if self._axes_of_labels(y_true, y_pred) == len(y_pred.shape):
            y_true = ops.expand_dims(y_true, -1)
            y_pred = ops.expand_dims(y_pred, -1)
        if self.class_weight is not None:
            sample_weight = times_class_weights(
                *(self.caller, self.class_weight, sample_weight),
                *(apply_mask(y_true, mask), y_pred),
                rows=mask is None,
            )
        if mask is None and len(y_pred.shape) > 2:
            mask = full_mask(y_pred)
        elif mask is None and sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight)
            rows = first_of_features(y_pred, 1)
            if aligned(sample_weight, rows) is not None:
                mask = ops.ones_like(rows, dtype="bool")
        if mask is not None:
            self._update_samples(y_true, y_pred, sample_weight, mask)
        elif sample_weight is None:
            self.metric.update_state(y_true, y_pred)
        else:  # a weight for each element, which few metrics take
            sample_weight = self._counted(sample_weight)
            y_true = finite_where_weighed(y_true, sample_weight)
            y_pred = finite_where_weighed(y_pred, sample_weight)
            self.metric.update_state(y_true, y_pred, sample_weight)

    def _update_samples(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        weights: Tensor | None,
        mask: Tensor,
    ) -> None:
        """Updates the metric with the elements of `mask` as samples."""
        axes = self._axes_of_labels(y_true, y_pred)
        if weights is None:
            weights = mask
        else:
            weights = ops.convert_to_tensor(weights)
            given, most = len(weights.shape), len(y_pred.shape) - 1
            if aligned(weights, mask) is None and given <= most:
                axes = max(axes, given)
        if axes > len(mask.shape):
            mask = expanded(mask, axes)
            mask = ops.broadcast_to(mask, ops.shape(y_pred)[:axes])
        weights = read_weights(self.caller, weights, mask)
        if dtype_name(weights) == "bool":
            weights = ops.cast(weights, self.dtype)
        mask = ops.logical_and(mask, ops.not_equal(weights, 0))
        y_true = samples(apply_mask(y_true, mask), mask)
        y_pred = samples(apply_mask(y_pred, mask, 1.0), mask)
        weights = ops.reshape(apply_mask(weights, mask), (-1,))
        weights = self._counted(weights)
        before = [(v, ops.copy(v.value)) for v in self.metric.variables]
        with _counting(self.metric, mask):
            self.metric.update_state(y_true, y_pred, sample_weight=weights)
        # The correlation of an empty batch is NaN, and NaN * 0 is NaN.
        some = ops.any(mask)
        for variable, value in before:
            variable.assign(ops.where(some, variable.value, value))

    def _axes_of_labels(self, y_true: Tensor, y_pred: Tensor) -> int:
        """The number of axes of the labels of an IoU, which are its samples.

        0 for other metrics, which weight their result over the features.
        """
        if not isinstance(self.metric, keras.metrics.IoU):
            return 0
        axes = {
            len(y_true.shape) - (not self.metric.sparse_y_true),
            len(y_pred.shape) - (not self.metric.sparse_y_pred),
        }
        return axes.pop() if len(axes) == 1 else 0

    def _counted(self, weights: Tensor) -> Tensor:
        """`weights`, without fractions if the metric would truncate them."""
        if not isinstance(self.metric, keras.metrics.IoU):
            return weights
        if "int" not in self.dtype:
            return weights
        kind = type(self.metric).__name__
        fix = f"Make it count floats: `{kind}(..., dtype='float32')`."
        known = check_whole_weights(self.caller, weights, fix)
        # For unknown weights Keras warns.
        return ops.cast(weights, self.dtype) if known else weights

    def result(self) -> Any:
        return self.metric.result()

    def reset_state(self) -> None:
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        metric = keras.metrics.serialize(self.metric)
        return {
            "metric": metric,
            "name": self.name,
            "class_weight": self.class_weight,
        }


@contextmanager
def _counting(metric: keras.metrics.Metric, mask: Tensor) -> Iterator[None]:
    """Counts only real samples where `R2Score` adjusts for regressors.

    Up to Keras 3.15 it counts all, once for each feature, whatever the weights.
    """
    if not isinstance(metric, keras.metrics.R2Score):
        yield
        return
    counted = metric.num_samples
    before = ops.copy(counted.value)
    counted.assign(ops.zeros_like(before))
    yield
    added = counted.value
    real = ops.sum(ops.cast(mask, added.dtype))
    each = added / ops.cast(ops.size(mask), added.dtype)
    added = ops.where(added > real, real * each, added)
    counted.assign(before + added)


def _read_metric(metric: Any) -> keras.metrics.Metric:
    """The Keras metric that `metric` specifies."""
    try:
        found = keras.metrics.get(metric)
    except ValueError:
        found = None
    if isinstance(metric, str) and metric.lower() in ("accuracy", "acc"):
        found = None  # `compile` chooses one by the shapes
    elif inspect.isfunction(found):
        found = keras.metrics.MeanMetricWrapper(found, name=found.__name__)
    if not isinstance(found, keras.metrics.Metric):
        raise ValueError(
            describe(
                "MaskedMetric",
                "`metric` must be a Keras metric or a function.",
                "Name a specific accuracy, for example "
                "'SparseCategoricalAccuracy'; for a loss use `LossPerStep`.",
                metric=repr(metric),
            )
        )
    try:
        signature = inspect.signature(found.update_state)
        signature.bind(None, None, sample_weight=None)
    except TypeError:
        raise ValueError(
            describe(
                "MaskedMetric",
                "`metric.update_state` must take `y_true`, `y_pred` and "
                "`sample_weight`: padding steps get weight 0.",
                "Add the argument, and multiply what it sums by these weights.",
                metric=type(found).__name__,
                update_state=str(signature),
            )
        ) from None
    return found
