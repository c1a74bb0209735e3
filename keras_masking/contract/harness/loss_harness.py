"""One loss under test: its numbers, its gradients, and the loss of a step."""

from functools import cached_property
from typing import Any

import numpy as np

from keras_masking.array_compare import magnitude
from keras_masking.contract.harness import score_batches
from keras_masking.contract.harness.score_batches import ScoreBatch
from keras_masking.contract.harness.score_harness import ScoreHarness
from keras_masking.contract.harness.score_harness import alike
from keras_masking.contract.harness.score_harness import numbers
from keras_masking.contract.harness.score_models import ScoreModel


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
        return ScoreModel(self.batch, loss=self.new())

    @property
    def rounding(self) -> float:
        """The smallest gradients that `gradient` can tell apart."""
        return 0.01 * magnitude(self.batch.y_pred)

    def gradient(self, batch: ScoreBatch) -> np.ndarray:
        """The gradient of the predictions, of one step of `fit`."""
        return self.model.gradient(batch)


def total(output: np.ndarray) -> np.ndarray:
    return np.asarray(np.sum(output, dtype="float64"))
