"""How often JAX compiles a model with our layers, and one with Keras'."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="counts compilations of JAX"
)
COMPILED = "/jax/core/compile/backend_compile_duration"
LENGTHS = (7, 11)
UNITS = 4


def ours(x: Any) -> Any:
    x = layers.MaskedConv1D(UNITS, 3, padding="same")(x)
    x = layers.MaskedGroupNormalization(2)(x)
    x = layers.MaskedLSTM(UNITS, return_sequences=True)(x)
    x = layers.MaskedMultiHeadAttention(2, 2)(x, x)
    x = layers.MaskedMaxPooling1D(2)(x)
    return layers.MaskedGlobalAveragePooling1D()(x)


def of_keras(x: Any) -> Any:
    x = keras.layers.Conv1D(UNITS, 3, padding="same")(x)
    x = keras.layers.GroupNormalization(2)(x)
    x = keras.layers.LSTM(UNITS, return_sequences=True)(x)
    x = keras.layers.MultiHeadAttention(2, 2)(x, x)
    x = keras.layers.MaxPooling1D(2)(x)
    return keras.layers.GlobalAveragePooling1D()(x)


def model(body: Any) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, UNITS, mask_zero=True)(ids)
    made = keras.Model(ids, keras.layers.Dense(1)(body(x)))
    made.compile("sgd", "mse")
    return made


def ids(steps: int) -> np.ndarray:
    x = np.random.default_rng(steps).integers(1, 9, (4, steps)).astype("int32")
    x[1:, steps // 2 :] = 0
    return x


@contextmanager
def compilations() -> Iterator[list[float]]:
    """The seconds of each compilation meanwhile."""
    import jax.monitoring

    seconds: list[float] = []

    def on_event(event: str, duration: float, **_: Any) -> None:
        if event == COMPILED:
            seconds.append(duration)

    jax.monitoring.register_event_duration_secs_listener(on_event)
    try:
        yield seconds
    finally:
        jax.monitoring.unregister_event_duration_listener(on_event)


def counts(body: Any) -> dict[str, list[int]]:
    """Compilations of each length, after one that is not counted."""
    made = model(body)
    y = np.zeros((4, 1), "float32")
    runs = {
        "predict": lambda x: made.predict(x, verbose=0),
        "fit": lambda x: made.fit(x, y, verbose=0),
    }
    found = {}
    for name, run in runs.items():
        run(ids(5))
        found[name] = []
        for steps in LENGTHS:
            with compilations() as seconds:
                run(ids(steps))
            found[name].append(len(seconds))
            with compilations() as again:
                run(ids(steps))
            assert not again, f"{name} compiles the same shape again"
    return found


@pytest.mark.filterwarnings("ignore:Layer .* does not support masking")
def test_a_new_shape_compiles_no_more_often_than_with_keras() -> None:
    own, theirs = counts(ours), counts(of_keras)
    for name, keras_counts in theirs.items():
        assert min(keras_counts) > 0, "a new shape compiles"
        assert own[name] == keras_counts
