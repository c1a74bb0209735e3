"""A model whose predictions are a weight: it trains and evaluates a score."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking.contract.harness.models import Attach
from keras_masking.contract.harness.score_batches import ScoreBatch
from keras_masking.contract.harness.training import one_program
from keras_masking.contract.harness.violations import CallFailed


class Predictions(keras.layers.Layer):
    """Returns its weight, whatever its input."""

    def __init__(self, value: np.ndarray, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.y_pred = self.add_weight(
            shape=value.shape,
            dtype=str(value.dtype),
            trainable=value.dtype.kind == "f",
            name="y_pred",
        )
        self.y_pred.assign(value)

    def call(self, inputs: Any) -> Any:
        return ops.copy(ops.convert_to_tensor(self.y_pred))

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(self.y_pred.shape, dtype=self.y_pred.dtype)


class ScoreModel:
    """A compiled model that predicts what it is told, with a mask."""

    def __init__(
        self, batch: ScoreBatch, loss: Any = None, metric: Any = None
    ) -> None:
        rows, steps = batch.real.shape
        mask = keras.Input(batch_shape=(rows, steps), dtype="bool")
        self.predictions = Predictions(batch.y_pred)
        y_pred = Attach()([self.predictions(mask), mask])
        self.model = keras.Model(mask, y_pred)
        self.model.compile(
            # The weight changes by its gradient.
            optimizer=keras.optimizers.SGD(1.0),
            loss=_zero if loss is None else loss,
            metrics=None if metric is None else [metric],
            jit_compile=one_program(),
        )

    def _arguments(self, batch: ScoreBatch) -> dict[str, Any]:
        self.predictions.y_pred.assign(batch.y_pred)
        return {
            "x": batch.real,
            "y": batch.y_true,
            "batch_size": batch.rows,
            "verbose": 0,
        }

    def gradient(self, batch: ScoreBatch) -> np.ndarray:
        self.fit(batch)
        after = np.asarray(ops.convert_to_numpy(self.predictions.y_pred))
        return batch.y_pred - after

    def fit(self, batch: ScoreBatch) -> float:
        """The loss that a step of `fit` reports."""
        try:
            history = self.model.fit(**self._arguments(batch), shuffle=False)
        except Exception as error:
            raise CallFailed(error, "a step of `fit`") from error
        return float(history.history["loss"][0])

    def evaluate(self, batch: ScoreBatch) -> dict[str, Any]:
        """What `evaluate` reports."""
        try:
            found: dict[str, Any] = self.model.evaluate(
                **self._arguments(batch), return_dict=True
            )
        except Exception as error:
            raise CallFailed(error, "`evaluate`") from error
        return found


def _zero(y_true: Any, y_pred: Any) -> Any:
    """A loss of 0 for each step, for a model with a metric alone."""
    first = ops.reshape(y_pred, (*y_pred.shape[:2], -1))[..., 0]
    return 0 * ops.cast(first, "float32")
