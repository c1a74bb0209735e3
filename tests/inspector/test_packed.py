"""Rows of several sequences: does one move with the others?"""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import inspect_masks
from keras_masking import layers
from tests.helpers import quietly

IDS = np.array(
    [
        [1, 2, 3, 0, 0, 0, 4, 5, 0, 0, 6, 7],
        [5, 0, 0, 0, 7, 8, 2, 2, 0, 0, 0, 0],
    ]
)
EACH = {"return_sequences": True}


def _model(*after: Any, dtype: str = "int32") -> Any:
    x = keras.Input((None,), dtype=dtype)
    embedding = layers.CustomEmbedding(9, 4, mask_zero=True)
    model = quietly(keras.Sequential, [x, embedding, *after])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    return model


SOUND = {
    "recurrent": lambda: [
        layers.MaskedConv1D(4, 3, padding="same"),
        layers.MaskedGRU(3, packed=True, **EACH),
        keras.layers.Dense(2),
    ],
    "pooled": lambda: [
        layers.MaskedConv1D(4, 2, 2, padding="same"),
        layers.MaskedGlobalMaxPooling1D(max_segments=3),
        keras.layers.Dense(2),
    ],
    "softmax": lambda: [layers.TemporalSoftmax(packed=True)],
}
LEAKING = {
    "a gap too small": lambda: layers.MaskedConv1D(4, 9, padding="same"),
    "a state": lambda: layers.MaskedLSTM(3, **EACH),
    "one softmax": lambda: layers.TemporalSoftmax(),
    "one mean": lambda: layers.MaskedGlobalAveragePooling1D(),
    "one row": lambda: layers.TemporalReverse(),
    "positions": lambda: layers.MaskedGroupNormalization(2),
}


@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize("name", SOUND)
def test_sequences_alone(name: str, dtype: str) -> None:
    report = inspect_masks(
        _model(*SOUND[name](), dtype=dtype), IDS, packed=True
    )
    assert report.state == "clean", str(report)
    drift = report.drift[-1]
    assert drift.change == "other values in the other sequences of a row"
    assert drift.relative is not None and drift.relative < 1e-5


@pytest.mark.parametrize("name", LEAKING)
def test_a_layer_that_lets_others_in(name: str) -> None:
    model = _model(LEAKING[name](), keras.layers.Dense(2))
    culprit = model.layers[1].name
    assert inspect_masks(model, IDS).ok  # rows of one sequence
    report = inspect_masks(model, IDS, packed=True)
    found = [(call.name, call.verdict) for call in report.findings]
    assert found == [(culprit, "leaks")]
    assert "the other sequences of a row" in report.findings[0].reason
    assert report.drift[-1].moved > 1e-3


def test_features_and_a_mask() -> None:
    x, mask = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    y = layers.AttachMask()(x, mask=mask)
    attention = layers.MaskedMultiHeadAttention(1, 4, packed=True, name="heads")
    model = keras.Model([x, mask], attention(y, y))
    given = np.random.default_rng(0).normal(size=(*IDS.shape, 4))
    data = [given.astype("float32"), IDS != 0]
    assert inspect_masks(model, data, packed=True).ok
    attention.packed = False
    report = inspect_masks(model, data, packed=True)
    assert [call.name for call in report.findings] == ["heads"]


def test_not_measured() -> None:
    model = _model(layers.MaskedConv1D(4, 3, padding="same"))
    report = inspect_masks(model, IDS[:1, :7], packed=True)
    assert report.ok
    report = inspect_masks(model, IDS[:1, :4], packed=True)
    assert report.state == "not measured"
    assert "no row holds two sequences" in report.missing[0]
