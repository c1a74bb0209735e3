"""One metric under test."""

import inspect
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from keras_masking.contract.harness import score_batches
from keras_masking.contract.harness.score_batches import ScoreBatch
from keras_masking.contract.harness.score_harness import ScoreHarness
from keras_masking.contract.harness.score_harness import alike
from keras_masking.contract.harness.score_harness import numbers
from keras_masking.contract.harness.score_models import ScoreModel
from keras_masking.contract.harness.violations import CallFailed


class MetricHarness(ScoreHarness):
    """The metric of a `MetricCase`, with an example batch of one shape."""

    def _value(
        self, batch: ScoreBatch, weights: np.ndarray | None
    ) -> np.ndarray:
        metric = self.new()
        self.update(metric, batch, weights)
        return numbers(metric.result())

    def update(
        self,
        metric: Any,
        batch: ScoreBatch,
        weights: np.ndarray | None = None,
    ) -> None:
        y_true, y_pred, kwargs = self.tensors(batch, weights)
        metric.update_state(y_true, y_pred, **kwargs)

    @cached_property
    def takes_weights(self) -> bool:
        parameters = inspect.signature(self.new().update_state).parameters
        return "sample_weight" in parameters

    @cached_property
    def of_sequences(self) -> bool:
        """Whether the metric depends on the order of steps.

        Then it is none of single steps, such as an edit distance.
        """
        if not self.batch.targets_have_steps:
            return True
        plain = score_batches.without_mask(self.batch)
        turned = ScoreBatch(plain.y_true[:, ::-1], plain.y_pred[:, ::-1])
        return not alike(self.value(plain), self.value(turned))

    def hint(self, right: str) -> tuple[str, str]:
        if "MaskedMetric" not in right or self.takes_weights:
            return "", ""
        return (
            "`update_state` takes no `sample_weight`, which `MaskedMetric` "
            "sets to 0 at padding. Otherwise: ",
            "def update_state(self, y_true, y_pred, sample_weight=None): ...",
        )

    @cached_property
    def model(self) -> ScoreModel:
        return ScoreModel(self.batch, metric=self.new())

    def of_batches(self, batches: Iterable[ScoreBatch]) -> np.ndarray:
        """The result after an update with each batch."""
        metric = self.new()
        try:
            for batch in batches:
                self.update(metric, batch)
            return numbers(metric.result())
        except Exception as error:
            raise CallFailed(error, "updates with several batches") from error
