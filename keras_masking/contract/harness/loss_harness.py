"""One loss under test: its numbers, its gradients, and the loss of a step."""

from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._types import Tensor
from keras_masking.array_compare import magnitude
from keras_masking.contract.harness import score_batches
from keras_masking.contract.harness.score_batches import ScoreBatch
from keras_masking.contract.harness.score_harness import ScoreHarness
from keras_masking.contract.harness.score_harness import alike
from keras_masking.contract.harness.score_harness import numbers
from keras_masking.contract.harness.score_models import ScoreModel
from keras_masking.contract.harness.training import needs_gradients
from keras_masking.contract.harness.violations import NotApplicable


class LossHarness(ScoreHarness):
    """The loss of a `LossCase`, with an example batch of one shape."""

    @cached_property
    def loss(self) -> Any:
        return self.new()

    def _value(
        self, batch: ScoreBatch, weights: np.ndarray | None
    ) -> np.ndarray:
        """The loss as one number: without a reduction, the sum."""
        return total(self.output(self.loss, batch, weights))

    def output(
        self, loss: Any, batch: ScoreBatch, weights: np.ndarray | None = None
    ) -> np.ndarray:
        y_true, y_pred, kwargs = self.tensors(batch, weights)
        return numbers(loss(y_true, y_pred, **kwargs))

    @cached_property
    def adds(self) -> bool:
        """Whether the loss is a sum: twice the rows give twice the loss."""
        rows = [*range(self.batch.rows)] * 2
        plain = score_batches.without_mask(self.batch)
        twice = self.value(score_batches.take_rows(plain, rows))
        return alike(twice, 2 * self.value(plain))

    @cached_property
    def is_per_step(self) -> bool:
        """Whether the loss of a row is the sum or mean of those of steps."""
        if not self.batch.targets_have_steps:
            return False
        try:
            row = np.nonzero(self.batch.real[0])[0]
            parts = self.step_losses[0, row]
        except Exception:
            return False
        lone = score_batches.without_mask(score_batches.alone(self.batch, 0))
        expected = parts.sum() if self.adds else parts.mean()
        return alike(self.value(lone), np.asarray(expected))

    @cached_property
    def step_losses(self) -> np.ndarray:
        """The loss of each real step, of a batch that holds it alone."""
        batch = self.batch
        losses = np.zeros(batch.real.shape)
        for row, step in np.argwhere(batch.real):
            one = score_batches.one_step(batch, row, step)
            losses[row, step] = self.value(one)
        return losses

    @cached_property
    def model(self) -> ScoreModel:
        loss = self.new()
        if self.output(self.loss, self.batch).ndim:
            loss = Summed(loss)
        return ScoreModel(self.batch, loss=loss)

    def needs_losses_of_steps(self) -> None:
        if not self.is_per_step:
            raise NotApplicable(
                "its loss of a row is not a sum or mean over the steps"
            )

    def needs_gradients(self) -> None:
        needs_gradients()
        if self.batch.y_pred.dtype.kind != "f":
            raise NotApplicable("integer predictions have no gradient")

    @property
    def rounding(self) -> float:
        """The error of `gradient`, a difference of predictions."""
        return 2e-7 * magnitude(self.batch.y_pred)

    def hint(self, right: str) -> tuple[str, str]:
        if "MaskedLoss" not in right or not self.example or self.is_per_step:
            return "", ""
        return (
            "The loss of a row is not the sum or mean of those of its steps, "
            "so `MaskedLoss` cannot wrap it. Otherwise: ",
            "y_true = keras_masking.ops.apply_mask(y_true, mask)\n"
            "y_pred = keras_masking.ops.apply_mask(y_pred, mask)",
        )

    def gradient(self, batch: ScoreBatch) -> np.ndarray:
        """The gradient of the predictions, of one step of `fit`."""
        self.needs_gradients()
        return self.model.gradient(batch)


class Summed(keras.losses.Loss):
    """The sum of a loss without a reduction, which `fit` can train."""

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss = loss

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None
    ) -> Tensor:
        return ops.sum(self.loss(y_true, y_pred, sample_weight))


def total(output: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(output, dtype="float64"))
