"""Models of Keras' layers, converted: the same without padding, and with it."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as theirs

import keras_masking
from keras_masking import conversion
from keras_masking import layers
from keras_masking.conversion.counterparts import counterpart
from tests.helpers import assert_close
from tests.helpers import quietly

IDS = np.array([[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]])
PADDED = np.pad(IDS, ((0, 0), (0, 4)))


def weighted(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def graph(body: Any) -> keras.Model:
    """Token ids in, `body` of their vectors out."""
    ids = keras.Input((None,), dtype="int32")
    embedding = theirs.Embedding(9, 4, mask_zero=True, name="tokens")
    return weighted(quietly(lambda: keras.Model(ids, body(embedding(ids)))))


def predict(model: keras.Model, ids: np.ndarray) -> np.ndarray:
    return quietly(model.predict, ids, verbose=0)


def check(model: keras.Model) -> conversion.ConversionReport:
    """The same without padding, and with it on either side and in holes."""
    made, report = keras_masking.convert(model)
    before = predict(model, IDS)
    assert_close(predict(made, IDS), before)
    moved = predict(model, PADDED)[:, : before.shape[1]]
    assert np.abs(moved - before).max() > 1e-3
    assert_close(predict(made, PADDED)[:, : before.shape[1]], before)
    left = np.pad(IDS, ((0, 0), (4, 0)))
    assert_close(predict(made, left)[:, -before.shape[1] :], before)
    again = predict(model, IDS)
    np.testing.assert_array_equal(before, again)
    return report


def replaced(report: Any) -> list[str]:
    return [new for _, _, new in report.replaced]


def post_norm(x: Any) -> Any:
    """Two blocks as everybody writes them: a sum by layer, one by operator."""
    y = theirs.MultiHeadAttention(2, 3)(x, x)
    x = theirs.LayerNormalization()(theirs.Add(name="plus")([x, y]))
    y = theirs.MultiHeadAttention(2, 3)(x, x)
    x = theirs.LayerNormalization()(x + y)
    return theirs.Dense(3)(theirs.GlobalAveragePooling1D()(x))


def test_a_post_norm_transformer(tmp_path: Path) -> None:
    model = graph(post_norm)
    report = check(model)
    attention = ["MaskedMultiHeadAttention", "MaskedAdd"]
    pool = "MaskedGlobalAveragePooling1D"
    assert replaced(report) == [*attention * 2, pool]
    assert not report.left
    made, _ = keras_masking.convert(model)
    made.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_close(predict(loaded, PADDED), predict(made, IDS))
    names = {layer.name for layer in model.layers[1:]}
    assert names <= {layer.name for layer in made.layers}


def test_a_convolutional_classifier() -> None:
    model = quietly(
        keras.Sequential,
        [
            keras.Input((None,), dtype="int32"),
            theirs.Embedding(9, 4, mask_zero=True),
            theirs.Conv1D(5, 3, padding="same", activation="relu", name="conv"),
            theirs.GroupNormalization(5),
            theirs.MaxPooling1D(2),
            theirs.Conv1D(6, 2),
            theirs.GlobalMaxPooling1D(),
            theirs.Dense(3, activation="softmax"),
        ],
    )
    weighted(model)
    report = check(model)
    assert str(report).startswith("replaced  conv: Conv1D -> MaskedConv1D\n")
    assert str(report).endswith("\n5 replaced, 0 left")


@pytest.mark.parametrize("nested", ["functional", "sequential", "shared"])
def test_models_in_a_model_and_shared_layers(nested: str) -> None:
    convolution = theirs.Conv1D(4, 3, padding="same")
    if nested == "sequential":
        inner = keras.Sequential([keras.Input((None, 4)), convolution])
    elif nested == "functional":
        x = keras.Input((None, 4))
        inner = keras.Model(x, theirs.Dense(4)(convolution(x)))
    else:
        inner = convolution

    def body(x: Any) -> Any:
        y = inner(inner(x))
        y = theirs.AveragePooling1D(2)(y)
        return theirs.GlobalAveragePooling1D()(y)

    report = check(graph(body))
    wanted = {"MaskedConv1D", "MaskedAveragePooling1D"}
    assert set(replaced(report)) == {*wanted, "MaskedGlobalAveragePooling1D"}
    assert len(replaced(report)) == 3


def test_a_layer_whose_first_call_has_no_mask() -> None:
    ids = keras.Input((None,), dtype="int32")
    plain = theirs.Embedding(9, 4)(ids)
    masked = theirs.Embedding(9, 4, mask_zero=True)(ids)
    shared, pool = theirs.Conv1D(3, 3, padding="same"), layers.LastStep()
    model = quietly(
        lambda: keras.Model(ids, [pool(shared(plain)), pool(shared(masked))])
    )
    made, report = keras_masking.convert(weighted(model))
    assert replaced(report) == ["MaskedConv1D"]
    for old, new in zip(predict(model, IDS), predict(made, IDS)):
        assert_close(new, old)
    assert_close(predict(made, PADDED)[1], predict(model, IDS)[1])


@pytest.mark.parametrize(
    "name, layer",
    [
        ("KeepMask(LSTM)", lambda: theirs.LSTM(3, return_sequences=True)),
        (
            "KeepMask(Bidirectional)",
            lambda: theirs.Bidirectional(theirs.GRU(2, return_sequences=True)),
        ),
        (
            "KeepMask(EinsumDense)",
            lambda: theirs.EinsumDense("abc,cd->abd", (None, 3)),
        ),
        (
            "MaskedTimeDistributed",
            lambda: theirs.TimeDistributed(theirs.Dense(3)),
        ),
        ("MaskedConv1DTranspose", lambda: theirs.Conv1DTranspose(3, 3)),
        ("MaskedDepthwiseConv1D", lambda: theirs.DepthwiseConv1D(3)),
        ("MaskedSeparableConv1D", lambda: theirs.SeparableConv1D(3, 3)),
        ("MaskedGroupNormalization", lambda: theirs.GroupNormalization(2)),
        ("MaskedUpSampling1D", lambda: theirs.UpSampling1D(2)),
    ],
)
def test_each_layer(name: str, layer: Any) -> None:
    """Behind a convolution, which lets padding in, and in front of a pool."""

    def body(x: Any) -> Any:
        x = layer()(theirs.Conv1D(4, 3, padding="same")(x))
        return theirs.GlobalAveragePooling1D()(x)

    report = check(graph(body))
    pool = "MaskedGlobalAveragePooling1D"
    assert replaced(report) == ["MaskedConv1D", name, pool]
    assert not report.left


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
def test_attention_over_an_encoder(name: str) -> None:
    """With a merge by Keras' rule, an `or`, written into the old graph."""

    def body(x: Any) -> Any:
        memory = theirs.Conv1D(4, 3, padding="same")(x)
        y = getattr(theirs, name)()([x, memory])
        y = theirs.Subtract()(
            [
                theirs.Concatenate()([x, y]),
                theirs.Multiply()(
                    [theirs.Concatenate()([y, x]), theirs.Concatenate()([x, x])]
                ),
            ]
        )
        return theirs.GlobalMaxPooling1D()(y)

    report = check(graph(body))
    assert not report.left
    assert f"Masked{name}" in replaced(report)
    assert "KeepMask(Subtract)" in replaced(report)


def test_a_softmax_over_classes_and_one_over_steps() -> None:
    class Softer(theirs.Softmax):
        """Somebody's own."""

    for axis, ours in ((-1, "MyActivation"), (1, "TemporalSoftmax")):
        made = counterpart(theirs.Softmax(axis, name="soft"), 3)
        assert type(made).__name__ == ours and made.name == "soft"
        assert counterpart(Softer(axis), 3) is None


def test_what_is_left() -> None:
    class Own(theirs.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    ids = keras.Input((6,), dtype="int32")
    x = theirs.Embedding(9, 4, mask_zero=True)(ids)
    x = theirs.LayerNormalization(axis=[1, 2], name="over_steps")(x)

    def outputs():
        return [
            theirs.Flatten(name="flat")(x),
            theirs.ZeroPadding1D(name="zeros")(x),
            Own(name="mine")(x),
            x[:, 1:],
        ]

    model = quietly(lambda: keras.Model(ids, outputs()))
    _, report = keras_masking.convert(model)
    left = {name: why for name, _, why in report.left}
    assert "go over the steps" in left["over_steps"]
    assert "padding becomes features" in left["flat"]
    assert "its zeros count as steps" in left["zeros"]
    assert "put `KeepMask` around it" in left["mine"]
    assert any("an operation between layers" in why for why in left.values())
    assert str(report).endswith(f"0 replaced, {len(left)} left")


def test_without_a_mask_nothing_changes() -> None:
    x = keras.Input((None, 4))
    y = theirs.Conv1D(3, 3)(x)
    z = theirs.GlobalMaxPooling1D()(theirs.Flatten()(y[:, :2])[:, None] * 2)
    made, report = keras_masking.convert(keras.Model(x, z))
    assert not report.replaced and not report.left
    assert [type(a) for a in made.layers][1] is theirs.Conv1D


def test_compiled_and_trainable() -> None:
    model = graph(post_norm)
    model.layers[1].trainable = False
    model.compile("adam", "mse")
    made, _ = keras_masking.convert(model)
    assert made.compiled and not made.layers[1].trainable
    made.fit(PADDED, np.zeros((2, 3)), verbose=0)
    assert_close(
        made.layers[1].get_weights()[0], model.layers[1].get_weights()[0]
    )


def test_what_cannot_be_converted() -> None:
    class Subclassed(keras.Model):
        def call(self, x: Any) -> Any:
            return x

    for model in (Subclassed(), keras.Sequential([theirs.Dense(2)])):
        with pytest.raises(
            ValueError, match="Functional or Sequential"
        ) as info:
            keras_masking.convert(model)
        assert f"Received: model={type(model).__name__}." in str(info.value)
