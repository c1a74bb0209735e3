"""Predictions without padding are those of each sequence alone."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking.batching import pack
from keras_masking.batching import predict_unpadded
from tests.helpers import assert_close

LENGTHS = [3, 5, 1, 5, 2, 3, 2, 1, 5, 5, 2]
TEXTS = [
    np.random.default_rng(i).integers(1, 20, n).astype("int32")
    for i, n in enumerate(LENGTHS)
]


def tagger() -> keras.Model:
    """A dict of an output for each step, and one for each sequence."""
    keras.utils.set_random_seed(1)
    ids = keras.Input((None,), dtype="int32")
    x = layers.CustomEmbedding(20, 4, mask_zero=True)(ids)
    x = layers.MaskedConv1D(4, 5, padding="same")(x)
    tags = layers.MaskedMultiHeadAttention(1, 4, packed=True)(x, x)
    kind = layers.MaskedGlobalMaxPooling1D()(x)
    return keras.Model(ids, {"tags": tags, "kind": kind, "steps": x})


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return tagger()


@pytest.fixture(scope="module")
def alone(model: keras.Model) -> list[dict[str, np.ndarray]]:
    """What the model predicts for each text, without padding."""
    return [
        {key: y[0] for key, y in model.predict_on_batch(text[None]).items()}
        for text in TEXTS
    ]


def check(found: Any, alone: list[dict[str, np.ndarray]], keys: Any) -> None:
    for key in keys:
        assert len(found[key]) == len(TEXTS)
        for one, expected in zip(found[key], alone, strict=True):
            assert_close(one, expected[key])


@pytest.mark.parametrize("padding", ["post", "pre"])
def test_buckets(padding: str, model: Any, alone: Any) -> None:
    found = predict_unpadded(
        model, TEXTS, buckets=2, batch_size=4, padding=padding, verbose=0
    )
    assert set(found) == {"tags", "kind", "steps"}
    assert isinstance(found["kind"], np.ndarray)
    check(found, alone, found)


def test_packed_rows(model: Any, alone: Any) -> None:
    plan = pack(LENGTHS, 16, gap=2)
    steps = model.output["steps"]
    pool = layers.MaskedGlobalMaxPooling1D(max_segments=plan.max_segments)
    outputs = {**model.output, "kind": pool(steps)}
    packed = keras.Model(model.input, outputs)
    for size in (1, 2):
        found = predict_unpadded(
            packed, TEXTS, packing=plan, batch_size=size, verbose=0
        )
        check(found, alone, ["tags", "kind", "steps"])


def test_masks_that_are_inputs(model: Any, alone: Any) -> None:
    ids = keras.Input((None,), dtype="int32")
    mask = keras.Input((None,), dtype="bool")
    conv = model.layers[2]
    x = layers.AttachMask()(keras.layers.Embedding(20, 4)(ids), mask=mask)
    inner = keras.Model([ids, mask], conv(x))
    inner.set_weights(model.get_weights()[:3])
    for how in (
        {"buckets": 2, "batch_size": 4},
        {"packing": pack(LENGTHS, 16, gap=2)},
    ):
        found = predict_unpadded(inner, TEXTS, mask="mask", verbose=0, **how)
        check({"steps": found}, alone, ["steps"])


def test_an_empty_sequence_is_an_empty_row(model: Any) -> None:
    found = predict_unpadded(model, [[], [3, 4, 5]], batch_size=2, verbose=0)
    assert found["tags"][0].shape == (0, 4)
    assert not found["kind"][0].any()


def test_one_length_only(model: Any, alone: Any) -> None:
    """Four steps and four features, so that the shapes don't say."""
    texts = [np.full(4, 3), np.full(4, 5)]
    found = predict_unpadded(model, texts, verbose=0)
    expected = model.predict_on_batch(np.array(texts))
    assert isinstance(found["tags"], list)
    assert isinstance(found["kind"], np.ndarray)
    for key in found:
        assert_close(np.array(found[key]), expected[key])
    flat = [keras.layers.Flatten(), keras.layers.Dense(16)]
    fixed = keras.Sequential(
        [keras.Input((4, 4)), *flat, keras.layers.Reshape((4, 4))]
    )
    x = [np.ones((4, 4))] * 2
    with pytest.raises(ValueError, match="Pass per_step=True or per_step=Fal"):
        predict_unpadded(fixed, x, verbose=0)
    found = predict_unpadded(fixed, x, per_step=True, verbose=0)
    assert [y.shape for y in found] == [(4, 4)] * 2
    found = predict_unpadded(fixed, x, per_step=False, verbose=0)
    assert found.shape == (2, 4, 4)


def test_bad_input(model: Any) -> None:
    def raises(said: str, *given: Any, **how: Any) -> None:
        with pytest.raises(ValueError, match=f"In predict_unpadded: .*{said}"):
            predict_unpadded(*given, verbose=0, **how)

    raises("must be a Keras model", len, TEXTS)
    raises("at least one sequence", model, [])
    raises("pad_value=0, sequence=0, step=1", model, [[1, 0]])
    raises("sequences_of_the_plan=2", model, TEXTS, packing=pack([3, 4], 9))
    plan = pack(LENGTHS, 16)
    raises("row of several", model, TEXTS, packing=plan, mask="lengths")
    raises("`batch_size` must be", model, TEXTS, packing=plan, batch_size=0)
    strided = keras.Sequential(
        [
            layers.CustomEmbedding(20, 4, mask_zero=True),
            layers.MaskedConv1D(4, 3, strides=2, padding="same"),
        ]
    )
    raises("Strides shorten outputs", strided, TEXTS, buckets=2, batch_size=4)


def test_the_progress_bar(model: Any, capsys: Any) -> None:
    predict_unpadded(model, TEXTS, buckets=2, batch_size=4)
    assert "3/3" in capsys.readouterr().out
    predict_unpadded(model, TEXTS, buckets=2, batch_size=4, verbose=0)
    assert not capsys.readouterr().out
