"""The loss per step over all batches."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.losses import MaskedLoss
from keras_masking.ops.class_weights import ClassWeight
from keras_masking.ops.class_weights import WeighsClasses
from keras_masking.ops.dtypes import wide_dtype


@export
class LossPerStep(WeighsClasses, keras.metrics.Metric):
    """The loss per step: the mean over the real steps of all batches.

    The `loss` that `evaluate` reports is the mean of the batch losses, each
    weighted by its number of sequences and not by its number of real steps. So
    it depends on the batches: the steps of a short sequence weigh more in a
    batch of their own. This metric sums losses and steps, and divides once, at
    the end.

    Args:
        loss: The loss of a step, as in `MaskedLoss`. Its reduction is ignored,
            with one exception: `"mean_with_sample_weight"` divides by the sum
            of the weights, not by the number of steps.
        name: Name of the metric in the logs. Defaults to `"loss_per_step"`.
        dtype: Dtype of the result. Defaults to `keras.config.floatx()`. The
            sums are float32 at least.
        class_weight: Dict from classes to weights, as in `MaskedLoss`.

    Call arguments:
        y_true: Targets, `(batch, steps, ...)`, or `(batch, steps)` for classes
            or single numbers.
        y_pred: Predictions, `(batch, steps, ...)`.
        sample_weight: `(batch,)`, a weight for each sequence, or `(batch,
            steps)`, a weight for each step. Defaults to 1. The sum of the
            weighted losses is divided by the number of real steps with nonzero
            weight, however large the weights are.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `y_pred` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`, or more of the first axes of `y_pred`. Without
            a mask every step is real, as for the training data in `fit` on JAX:
            pass the mask as `sample_weight`, see `MaskedMetric`.
        Emits: none.
        Empty row: adds nothing, nor does a row with weight 0. The result is 0
            if there was no real step at all.
        Padding values: change nothing, even if NaN.

    Returns:
        A number.

    Raises:
        MaskShapeError: If `mask` does not fit `y_pred`, or `y_true` does not
            fit the mask.
        ValueError: If `loss` does not give a number for each step, like CTC and
            Dice; if `sample_weight` or `class_weight` is invalid, as in
            `MaskedLoss`.

    Example:

    >>> metric = keras_masking.metrics.LossPerStep("mae")
    >>> for y_pred in [[[1.0], [2.0], [3.0]]], [[[6.0]]]:
    ...     metric.update_state(np.zeros_like(y_pred), np.array(y_pred))
    >>> float(metric.result())
    3.0
    """

    kind = "metric"

    def __init__(
        self,
        loss: str | keras.losses.Loss | Callable[[Tensor, Tensor], Tensor],
        name: str = "loss_per_step",
        dtype: Any = None,
        class_weight: ClassWeight | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.loss = MaskedLoss(loss, class_weight=class_weight)
        # In float16 a sum of ones stops at 2048.
        how = wide_dtype(self.dtype)
        self.total = self.add_variable((), "zeros", how, name="total")
        self.count = self.add_variable((), "zeros", how, name="count")
        self._direction = "down"

    def update_state(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        sums = self.loss.weigh(
            y_true, y_pred, sample_weight, mask, count_zeros=False
        )
        for variable, x in zip((self.total, self.count), sums):
            variable.assign_add(ops.cast(ops.sum(x), variable.dtype))

    def result(self) -> Tensor:
        mean = ops.divide_no_nan(self.total, self.count)
        return ops.cast(mean, self.dtype)

    def get_config(self) -> dict[str, Any]:
        loss = keras.losses.serialize(self.loss.loss)
        return {
            **super().get_config(),
            "loss": loss,
            "class_weight": self.loss.class_weight,
        }
