"""Batches, models, and the step of one process."""

import json
from typing import Any

import keras
import numpy as np

from keras_masking import layers
from keras_masking.losses import MaskedLoss
from keras_masking.metrics import LossPerStep
from keras_masking.metrics import MaskedMetric
from tests.batching.samples import Batches

ROWS, STEPS, IDS = 8, 8, 9
# The real steps of each row.
LENGTHS = {
    "uneven": [8, 8, 8, 7, 1, 1, 2, 1],
    "even": [3, 5, 4, 4, 4, 4, 2, 6],
    "empty": [8, 5, 7, 1, 0, 0, 0, 0],
    "odd": [8, 8, 7, 1, 1, 2, 1],
}


Batch = tuple[np.ndarray, np.ndarray]


def data(case: str) -> Batch:
    """Ids and classes of each step."""
    rng = np.random.default_rng(0)
    lengths = np.array(LENGTHS[case])
    real = np.arange(STEPS) < lengths[:, None]
    shape = len(lengths), STEPS
    ids = np.where(real, rng.integers(1, IDS, shape), 0)
    # Gradients of classes that depend on the place do not cancel.
    return ids, (ids + np.arange(len(lengths))[:, None] // 4) % 3


def batches(case: str) -> list[Batch]:
    """What is trained on: one batch, and after it an odd one."""
    return [data("uneven"), data(case)] if case == "odd" else [data(case)]


def parts(case: str, accumulate: int) -> list[Batch]:
    """The batch in micro-batches."""
    x, y = data(case)
    size = len(x) // accumulate
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


def small() -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(IDS, 4, mask_zero=True)(ids)
    return keras.Model(ids, keras.layers.Dense(3)(x))


def large() -> keras.Model:
    """A model with our layers that mix steps."""
    ids = keras.Input((None,), dtype="int32")
    x = layers.CustomEmbedding(IDS, 4, mask_zero=True)(ids)
    y = layers.MaskedMultiHeadAttention(2, 2)(x, x)
    x = layers.MaskedAdd()([x, y])
    x = layers.MaskedGroupNormalization(2)(x)
    x = layers.MaskedConv1D(4, 3, padding="same")(x)
    return keras.Model(ids, keras.layers.Dense(3)(x))


def recurrent() -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    x = layers.CustomEmbedding(IDS, 4, mask_zero=True)(ids)
    x = layers.MaskedLSTM(4, return_sequences=True)(x)
    return keras.Model(ids, keras.layers.Dense(3)(x))


MODELS = {"small": small, "large": large, "recurrent": recurrent}


def model(kind: str, loss: Any, optimizer: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    made = MODELS[kind]()
    rng = np.random.default_rng(1)
    weights = [rng.normal(0, 0.3, w.shape) for w in made.get_weights()]
    made.set_weights(weights)
    # JAX hands metrics no mask: equal to one device is all that is asked.
    metrics = [LossPerStep(crossentropy()), MaskedMetric(accuracy())]
    # Compiling takes longer than training without.
    jit = keras.backend.backend() == "jax"
    made.compile(optimizer, loss, metrics=metrics, jit_compile=jit)
    return made


def optimizers(kind: str, case: str) -> list[str]:
    """What a case is trained with."""
    return ["SGD", "Adam"] if (kind, case) == ("small", "uneven") else ["SGD"]


def crossentropy() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def accuracy() -> keras.metrics.Metric:
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def masked(**how: Any) -> MaskedLoss:
    return MaskedLoss(crossentropy(), **how)


def optimizer(name: str, accumulate: int = 1) -> Any:
    steps = accumulate if accumulate > 1 else None
    if name == "SGD":
        return keras.optimizers.SGD(1.0, gradient_accumulation_steps=steps)
    # The step is smooth where a gradient is as small as a rounding error.
    return keras.optimizers.Adam(
        1.0, epsilon=1e-2, gradient_accumulation_steps=steps
    )


class Trained:
    """The step of a training, and what it reports."""

    def __init__(self, model: keras.Model, logs: dict[str, Any]) -> None:
        self.after = [np.asarray(w) for w in model.get_weights()]
        self.logs = {
            name: float(value[-1] if isinstance(value, list) else value)
            for name, value in logs.items()
        }


def alone(kind: str, case: str, name: str, accumulate: int = 1) -> Trained:
    """One process, whole batches, each `accumulate` times.

    That gives the same gradient, dense as it is where gradients accumulate:
    Adam on TensorFlow takes another step for sparse ones.
    """
    made = model(kind, crossentropy(), optimizer(name, accumulate))
    return fit(made, batches(case) * accumulate)


def fit(model: keras.Model, given: Any) -> Trained:
    """`model` trained for an epoch, in order."""
    given = Batches(given) if isinstance(given, list) else given
    history = model.fit(given, shuffle=False, verbose=0)
    return Trained(model, history.history)


def report(kind: str, labels: dict, seen: Trained, wanted: Trained) -> None:
    """Prints how far `seen` is from `wanted`."""
    before = model(kind, "mse", "sgd").get_weights()
    steps = [w - b for w, b in zip(wanted.after, before)]
    largest = max(abs(step).max() for step in steps)
    off = max(abs(a - b).max() for a, b in zip(seen.after, wanted.after))
    logs = {
        key: abs(seen.logs[key] - value) / max(abs(value), 1e-3)
        for key, value in wanted.logs.items()
        if key in seen.logs
    }
    row = {**labels, "model": kind, "step": float(off / largest), **logs}
    print(json.dumps(row), flush=True)


def failed(kind: str, labels: dict, error: Exception) -> None:
    """Prints that an engine raises an error."""
    row = {**labels, "model": kind, "error": type(error).__name__}
    print(json.dumps(row), flush=True)
