"""Metrics that count real steps alone."""

import inspect
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.losses import MaskedLoss
from keras_masking.ops import all_real
from keras_masking.ops import apply_mask
from keras_masking.ops.targets import read_targets
from keras_masking.ops.targets import read_weights

__all__ = ["LossPerStep", "MaskedMetric"]


@export
class MaskedMetric(keras.metrics.Metric):
    """A metric over the real steps, each of which is a sample of its own.

    Precision, recall, AUC, F1, RMSE, IoU and others of Keras do not look at the
    mask; accuracies and mean errors do, and are wrapped only where padding is
    NaN.

    Args:
        metric: Name of a Keras metric, `keras.metrics.Metric`, or function of
            `y_true` and `y_pred`.
        name: Name of the metric in the logs. Defaults to that of `metric`.

    Call arguments:
        y_true: Targets, `(batch, steps, ...)`, or `(batch, steps)` if they are
            classes or single numbers.
        y_pred: Predictions, `(batch, steps, ...)`.
        sample_weight: `(batch,)`, a weight for each sequence, or
            `(batch, steps)`, one for each step. Defaults to 1. A step whose
            weight is 0 counts as padding.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `y_pred` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`, or one of more axes of `y_pred`. Without a mask
            every step is real. On JAX `fit` hands over predictions without
            their mask (to Keras' own metrics as well), so that what it logs of
            the training data counts padding; `evaluate` and `validation_data`
            do not. Pass the mask as `sample_weight`, and the metric in
            `weighted_metrics`, to have both.
        Emits: none.
        Empty row: adds nothing.
        Padding values: change nothing, NaN included.

    Keras metric:
        Drops in for: the metric it wraps.
        Differs: predictions of three axes and more become
            `(batch * steps, ...)`, with a weight for each step, which is what
            metrics such as F1Score demand.

    Returns:
        What `metric` returns.

    Raises:
        MaskShapeError: If `mask` does not fit `y_pred`, or `y_true` the mask.
        ValueError: If `metric` is none, or takes no sample weights.

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

    def __init__(
        self,
        metric: str | keras.metrics.Metric | Callable[[Tensor, Tensor], Tensor],
        name: str | None = None,
    ) -> None:
        inner = _read_metric(metric)
        if name is None:  # as Keras names what it is given by name
            name = metric if isinstance(metric, str) else inner.name
        super().__init__(name=name, dtype=inner.dtype)
        self.metric = inner
        if hasattr(inner, "_direction"):  # whether callbacks want more or less
            self._direction = inner._direction

    @property
    def who(self) -> str:
        """How a message names this metric."""
        return f"metric '{self.name}' (of type {type(self).__name__})"

    def update_state(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        y_true, y_pred, mask = read_targets(self.who, y_true, y_pred, mask)
        if mask is None and len(y_pred.shape) > 2:
            mask = all_real(y_pred)
        if mask is not None:
            weights = ops.cast(mask, self.dtype)
            if sample_weight is not None:
                weights = read_weights(self.who, sample_weight, weights)
            mask = ops.logical_and(mask, ops.not_equal(weights, 0))
            y_true = _samples(apply_mask(y_true, mask), mask)
            y_pred = _samples(apply_mask(y_pred, mask, 1.0), mask)
            sample_weight = ops.reshape(apply_mask(weights, mask), (-1,))
        self.metric.update_state(y_true, y_pred, sample_weight=sample_weight)

    def result(self) -> Any:
        return self.metric.result()

    def reset_state(self) -> None:
        self.metric.reset_state()

    def get_config(self) -> dict[str, Any]:
        metric = keras.metrics.serialize(self.metric)
        return {"metric": metric, "name": self.name}


@export
class LossPerStep(keras.metrics.Metric):
    """The loss of a step, averaged over the real steps of all batches.

    What `evaluate` reports as `loss` is the mean of the losses of the batches,
    each weighted by its number of sequences and not by its number of real
    steps. So it depends on which sequences share a batch: a short sequence's
    steps weigh more when it is alone. This metric adds up losses and steps,
    and divides once, at the end.

    Args:
        loss: The loss of a step, as in `MaskedLoss`. Its reduction does not
            count, with one exception: `"mean_with_sample_weight"` divides by
            the sum of the weights and not by the number of real steps.
        name: Name of the metric in the logs. Defaults to `"loss_per_step"`.
        dtype: Dtype of the sums. Defaults to `keras.config.floatx()`.

    Call arguments:
        y_true: Targets, `(batch, steps, ...)`, or `(batch, steps)` if they are
            classes or single numbers.
        y_pred: Predictions, `(batch, steps, ...)`.
        sample_weight: `(batch,)`, a weight for each sequence, or
            `(batch, steps)`, one for each step. Defaults to 1.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `y_pred` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`, or one of more axes of `y_pred`. Without a mask
            every step is real, and so it is of the training data in `fit` on
            JAX: see `MaskedMetric`.
        Emits: none.
        Empty row: adds nothing. 0 if there was no real step at all.
        Padding values: change nothing, NaN included.

    Returns:
        A number.

    Raises:
        MaskShapeError: If `mask` does not fit `y_pred`, or `y_true` the mask.
        ValueError: If `loss` gives no number for each step, as CTC and Dice.

    Example:

    >>> metric = keras_masking.metrics.LossPerStep("mae")
    >>> for y_pred in [[[1.0], [2.0], [3.0]]], [[[6.0]]]:
    ...     metric.update_state(np.zeros_like(y_pred), np.array(y_pred))
    >>> float(metric.result())
    3.0
    """

    def __init__(
        self,
        loss: str | keras.losses.Loss | Callable[[Tensor, Tensor], Tensor],
        name: str = "loss_per_step",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.loss = MaskedLoss(loss)
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")
        self._direction = "down"

    def update_state(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        sums = self.loss.weigh(y_true, y_pred, sample_weight, mask)
        for variable, x in zip((self.total, self.count), sums):
            variable.assign_add(ops.cast(ops.sum(x), variable.dtype))

    def result(self) -> Tensor:
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self) -> dict[str, Any]:
        loss = keras.losses.serialize(self.loss.loss)
        return {**super().get_config(), "loss": loss}


def _samples(x: Tensor, mask: Tensor) -> Tensor:
    """`(batch, steps, ...)` as `(batch * steps, ...)`.

    The first real step stands at all padding steps: what is finite of real
    steps is so there, and a weight of 0 removes it. A correlation is NaN of
    features that are all the same, and NaN * 0 is NaN.
    """
    real = ops.reshape(mask, (-1,))
    index = ops.cumsum(ops.ones_like(real, dtype="int32")) - 1
    first = ops.argmax(ops.cast(real, "int32"))
    index = ops.where(real, index, ops.cast(first, "int32"))
    features = ops.shape(x)[len(mask.shape) :]
    return ops.take(ops.reshape(x, (-1, *features)), index, axis=0)


def _read_metric(metric: Any) -> keras.metrics.Metric:
    """The Keras metric that `metric` stands for."""
    try:
        found = keras.metrics.get(metric)
    except ValueError:
        found = None
    if isinstance(metric, str) and metric.lower() in ("accuracy", "acc"):
        found = None  # which one, `compile` sees from the shapes
    elif inspect.isfunction(found):
        found = keras.metrics.MeanMetricWrapper(found, name=found.__name__)
    if not isinstance(found, keras.metrics.Metric):
        raise ValueError(
            describe(
                "MaskedMetric",
                "`metric` must be a Keras metric or a function.",
                "For an accuracy name one, 'SparseCategoricalAccuracy' say; "
                "for a loss take `LossPerStep`.",
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
                "`sample_weight`: padding steps get the weight 0.",
                "Give it the argument, and weigh what it adds up with it.",
                metric=type(found).__name__,
                update_state=str(signature),
            )
        ) from None
    return found
