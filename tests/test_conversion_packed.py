"""`convert(packed=True)`: each sequence of a row gives what it gives alone."""

from typing import Any

import keras
import numpy as np
import pytest

import keras_masking
from keras_masking import batching
from tests.helpers import assert_close
from tests.helpers import quietly

RNG = np.random.default_rng(0)
TEXTS = [RNG.integers(1, 20, n) for n in RNG.integers(5, 9, 12)]
LENGTHS = [len(text) for text in TEXTS]
STEPS, SEGMENTS = 30, 3


def _sequential(*layers: Any) -> Any:
    embedding = keras.layers.Embedding(20, 4, mask_zero=True)
    return quietly(keras.Sequential, [keras.Input((None,)), embedding, *layers])


def _block() -> Any:
    x = keras.Input((None,))
    y = keras.layers.Embedding(20, 4, mask_zero=True)(x)
    attention = keras.layers.MultiHeadAttention(2, 2, name="attention")
    y = keras.layers.Add(name="sum")([y, attention(y, y)])
    y = keras.layers.LayerNormalization()(y)
    gru = keras.layers.GRU(3, return_sequences=True)
    y = quietly(keras.layers.Bidirectional(gru, name="both"), y)
    y = quietly(keras.layers.Conv1D(4, 5, 2, padding="same"), y)
    y = quietly(keras.layers.Conv1D(4, 3), y)
    y = quietly(keras.layers.GlobalMaxPooling1D(name="pool"), y)
    return keras.Model(x, keras.layers.Dense(2)(y))


def _with_weights(model: Any) -> Any:
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.5, w.shape) for w in model.weights])
    return model


MODELS = {
    "block": (_block, (3, 2, 5)),
    "lstm": (
        lambda: _sequential(keras.layers.LSTM(3), keras.layers.Dense(2)),
        (1, 1, 1),
    ),
    "inside": (
        lambda: _sequential(
            keras.Sequential(
                [
                    keras.layers.Conv1D(4, 3, padding="same"),
                    keras.layers.GlobalAveragePooling1D(),
                ]
            ),
            keras.layers.Dense(2, "softmax"),
        ),
        (1, 1, 1),
    ),
    "steps": (
        lambda: _sequential(
            keras.layers.GroupNormalization(2), keras.layers.Dense(2)
        ),
        (1, 1, 1),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_each_sequence_gives_what_it_gives_alone(
    name: str, tmp_path: Any
) -> None:
    build, needs = MODELS[name]
    model = _with_weights(build())
    plain, _ = keras_masking.convert(model)
    packed, report = keras_masking.convert(
        model, packed=True, max_segments=SEGMENTS
    )
    assert report.packing == needs, report
    assert report.packed and not report.unpacked
    assert "packing   gap=" in str(report)
    plan = batching.pack(
        LENGTHS,
        STEPS,
        max_segments=SEGMENTS,
        **report.packing._asdict(),
    )
    assert plan.rows <= len(TEXTS) / 2
    packed.save(tmp_path / "model.keras")
    loaded = quietly(keras.saving.load_model, tmp_path / "model.keras")
    for one in (packed, loaded):
        found = quietly(
            batching.predict_unpadded, one, TEXTS, packing=plan, verbose=0
        )
        for text, got in zip(TEXTS, found):
            wanted = quietly(plain.predict, text[None], verbose=0)[0]
            assert_close(np.asarray(got), wanted)


def test_what_cannot_be_packed_is_named() -> None:
    x = keras.Input((None,))
    y = keras.layers.Embedding(20, 4, mask_zero=True)(x)
    z = quietly(
        keras.layers.Bidirectional(keras.layers.LSTM(2), name="both"), y
    )
    cell = keras.layers.GRUCell(2)
    own = keras.layers.RNN(cell, return_sequences=True, name="own")
    y = quietly(own, y)
    y = quietly(keras.layers.GlobalAveragePooling1D(name="pool"), y)
    y = keras.layers.Softmax(axis=1, name="shares")(y)
    model = keras.Model(x, [y, z])
    _, report = keras_masking.convert(model, packed=True, max_segments=2)
    found = {name: (kind, why) for name, kind, why in report.unpacked}
    assert found["both"][0] == "MaskedBidirectional"
    assert "let it return sequences" in found["both"][1]
    assert "nothing is known of its need" in found["own"][1]
    assert "it may mix the sequences" in found["shares"][1]
    assert set(found) == {"both", "own", "shares"} and report.packing is None
    assert report.packed == [
        ("pool", "MaskedGlobalAveragePooling1D", "max_segments=2")
    ]
    assert "3 not to be packed" in str(report)
    _, report = keras_masking.convert(model, packed=True)
    assert ("pool", "MaskedGlobalAveragePooling1D") in [
        (name, kind) for name, kind, _ in report.unpacked
    ]


def test_bad_arguments() -> None:
    model = _sequential(keras.layers.GlobalMaxPooling1D())
    with pytest.raises(ValueError, match="`max_segments` must be an integer"):
        keras_masking.convert(model, packed=True, max_segments=0)
    with pytest.raises(ValueError, match="Pass packed=True too"):
        keras_masking.convert(model, max_segments=2)
    model = _sequential(
        keras.layers.GlobalMaxPooling1D(), keras.layers.Reshape((2, 2))
    )
    with pytest.raises(ValueError, match="one does not take it"):
        keras_masking.convert(model, packed=True, max_segments=2)
