"""One metric under test."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from keras_masking.contract.harness.score_batches import ScoreBatch
from keras_masking.contract.harness.score_harness import ScoreHarness
from keras_masking.contract.harness.score_harness import numbers
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

    def of_batches(self, batches: Iterable[ScoreBatch]) -> np.ndarray:
        """The result after an update with each batch."""
        metric = self.new()
        try:
            for batch in batches:
                self.update(metric, batch)
            return numbers(metric.result())
        except Exception as error:
            raise CallFailed(error, "updates with several batches") from error
