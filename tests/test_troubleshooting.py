"""Keras shows each text that `docs/troubleshooting.md` quotes."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking.losses import MaskedLoss
from tests.helpers import BACKEND

PAGE = Path(__file__).parents[1] / "docs" / "troubleshooting.md"
NAMES = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow"}
NEXT = tuple(map(int, keras.version().split(".")[:2])) >= (3, 16)
HERE = {NAMES[BACKEND], "Keras 3.16" if NEXT else "Keras 3.15"}

X = np.ones((3, 6, 4), "float32")
VIDEO = np.ones((3, 6, 5, 4), "float32")
MASK = np.arange(6) < np.array([[6], [5], [3]])
LSTM = keras.layers.LSTM


def masked(x: Any = X) -> Any:
    return layers.AttachMask()(x, mask=MASK)


class MyPool(keras.layers.Layer):
    """Not registered."""

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=1)


class MyLayer(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return ops.copy(inputs)

    def compute_mask(self, inputs: Any) -> Any:
        return None


def nested() -> None:
    encoder = keras.Sequential([keras.layers.Dense(4)], name="encoder")
    encoder(masked())


def cut() -> None:
    x = keras.layers.Masking()(keras.Input((6, 4)))
    keras.Model(x, LSTM(3)(x))


def load(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6, 4)), MyPool()])
    model.save(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras")


def load_lambda(tmp_path: Path) -> None:
    double = keras.layers.Lambda(lambda x: x * 2, mask=lambda x, mask: mask)
    inputs = keras.Input((6, 4))
    x = double(keras.layers.Masking()(inputs))
    keras.Model(inputs, LSTM(3)(x)).save(tmp_path / "model.keras")
    keras.saving.load_model(tmp_path / "model.keras", safe_mode=False)(X)


def cudnn() -> None:
    """What Keras runs on a GPU before it calls cuDNN."""
    from keras.src.backend.tensorflow.rnn import _assert_valid_mask

    _assert_valid_mask(MASK[:, ::-1])


def pool(mask: np.ndarray) -> Callable[[], Any]:
    layer = layers.MaskedGlobalMaxPooling1D(name="pool")
    return lambda: layer(X, mask=mask)


def weigh_classes() -> None:
    model = keras.Sequential([keras.layers.Softmax()])
    loss = "sparse_categorical_crossentropy"
    model.compile(loss=loss, run_eagerly=True)
    given = np.ones((4, 5, 2)), np.ones((4, 5))
    model.fit(*given, class_weight={0: 1.0, 1: 5.0}, verbose=0)


def segments(layer: Any) -> Any:
    return keras.layers.TimeDistributed(layer)(masked(VIDEO))


# For each section, the calls that make its texts appear.
CALLS: dict[str, list[Callable[..., Any]]] = {
    "The mask is destroyed": [
        lambda: keras.layers.Conv1D(3, 3, name="conv1d")(masked()),
        nested,
    ],
    "LSTM, GRU and Bidirectional warn since Keras 3.16": [
        lambda: LSTM(3, name="lstm")(masked())
    ],
    "Softmax: The mask must be broadcastable to inputs": [
        lambda: keras.layers.Softmax()(masked())
    ],
    "TimeDistributed: list assignment index out of range": [
        lambda: segments(LSTM(3)),
        lambda: segments(keras.layers.GlobalAveragePooling1D()),
    ],
    "RNN mask that does not correspond to right-padded sequences": [cudnn],
    "ConvLSTM on JAX": [
        lambda: keras.layers.ConvLSTM1D(4, 3, padding="same")(masked(VIDEO))
    ],
    "class_weight of fit, with a class for each step": [weigh_classes],
    "CTC, or a weight for each sequence: shapes that do not fit": [
        lambda: keras.losses.CTC()(np.ones((3, 1)), masked()),
        lambda: keras.losses.MeanSquaredError()(X, masked(), np.ones(3)),
    ],
    "BatchNormalization: one dimension less than the inputs": [
        lambda: keras.layers.BatchNormalization()(masked(VIDEO), training=True),
        lambda: keras.layers.BatchNormalization()(
            masked(X[..., :1]), training=True
        ),
    ],
    "Bidirectional with unroll=True": [
        lambda: keras.layers.Bidirectional(
            LSTM(3, return_sequences=True, unroll=True)
        )(masked())
    ],
    "compute_mask() takes 2 positional arguments but 3 were given": [
        lambda: MyLayer()(masked())
    ],
    "Output with path is not connected to inputs": [cut],
    "Could not locate class": [load],
    "A Lambda with mask= fails when it is loaded": [load_lambda],
    "Errors of keras-masking": [
        pool(MASK[:, :5]),
        pool(np.ones((3, 6, 4), bool)),
        lambda: layers.RequireMask(name="require_mask")(X),
        lambda: layers.KeepMask(keras.layers.Conv1D(3, 3, name="conv1d"))(
            masked()
        ),
        lambda: MaskedLoss(keras.losses.CTC())(np.ones((3, 1)), masked()),
    ],
}


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.*)\n", PAGE.read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def quotes(section: str) -> list[tuple[set[str], str]]:
    """The texts of a section, each with the backends or versions of its label.

    No label means everywhere.
    """
    found = re.findall(
        r'^```text(?: title="(.*)")?\n(.*)\n```$', section, flags=re.M
    )
    return [(set(title.split(", ")) - {""}, text) for title, text in found]


def said(call: Callable[..., Any], tmp_path: Path) -> str:
    """Keras' warnings and errors, in one text."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            call(tmp_path) if call in (load, load_lambda) else call()
            error = ""
        except Exception as raised:
            error = str(raised)
    text = "\n".join([*(str(w.message) for w in seen), error])
    return re.sub(r"torch\.Size\(\[(.*?)\]\)", r"(\1)", text)


def test_every_text_has_a_call() -> None:
    found = {name: quotes(text) for name, text in sections().items()}
    assert set(CALLS) == {name for name, texts in found.items() if texts}
    assert sum(map(len, found.values())) == PAGE.read_text().count("```text")


@pytest.mark.parametrize("name", CALLS)
def test_keras_says_what_the_page_quotes(name: str, tmp_path: Path) -> None:
    calls = CALLS[name]
    if BACKEND != "tensorflow":
        calls = [call for call in calls if call is not cudnn]
    texts = [said(call, tmp_path) for call in calls]
    for where, quote in quotes(sections()[name]):
        here = not where or bool(where & HERE)
        assert any(quote in text for text in texts) == here, quote
