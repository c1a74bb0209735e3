"""Converted Keras models: the same outputs without padding and with it."""

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
from keras_masking.conversion.judging import STEP_BY_OPERATION
from tests.helpers import assert_close
from tests.helpers import to_numpy

# Keras' warnings are expected: its models lose masks.
pytestmark = pytest.mark.filterwarnings("ignore:.*destroy the mask")

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
    return weighted(keras.Model(ids, body(embedding(ids))))


def predict(model: keras.Model, ids: np.ndarray) -> np.ndarray:
    return model.predict(ids, verbose=0)


def check(model: keras.Model) -> conversion.ConversionReport:
    """The same outputs without padding, and with padding anywhere."""
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


def test_repeated_vectors_have_no_mask() -> None:
    def body(x: Any) -> Any:
        mean = theirs.GlobalAveragePooling1D()(x)
        return theirs.RepeatVector(6, name="decoder")(mean)

    _, report = keras_masking.convert(graph(body))
    ((name, kind, why),) = report.left
    assert (name, kind) == ("decoder", "RepeatVector")
    assert "RepeatVectorLike" in why
    plain = keras.Sequential([keras.Input((4,)), theirs.RepeatVector(6)])
    assert keras_masking.convert(plain)[1].left == []


def replaced(report: Any) -> list[str]:
    return [new for _, _, new in report.replaced]


def post_norm(x: Any) -> Any:
    """Two typical blocks: one sum by layer, one by operator."""
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
    model = keras.Sequential(
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
    model = keras.Model(ids, [pool(shared(plain)), pool(shared(masked))])
    made, report = keras_masking.convert(weighted(model))
    assert replaced(report) == ["MaskedConv1D"]
    for old, new in zip(predict(model, IDS), predict(made, IDS)):
        assert_close(new, old)
    assert_close(predict(made, PADDED)[1], predict(model, IDS)[1])


@pytest.mark.parametrize(
    "name, layer",
    [
        ("MaskedLSTM", lambda: theirs.LSTM(3, return_sequences=True)),
        (
            "MaskedBidirectional",
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
    """After a convolution, which lets padding in, and before a pool."""

    def body(x: Any) -> Any:
        x = layer()(theirs.Conv1D(4, 3, padding="same")(x))
        return theirs.GlobalAveragePooling1D()(x)

    report = check(graph(body))
    pool = "MaskedGlobalAveragePooling1D"
    assert replaced(report) == ["MaskedConv1D", name, pool]
    assert not report.left


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
def test_attention_over_an_encoder(name: str) -> None:
    """With Keras' merge of masks, an `or`, in the old graph."""

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
        """A custom layer."""

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

    model = keras.Model(ids, outputs())
    _, report = keras_masking.convert(model)
    left = {name: why for name, _, why in report.left}
    assert "include the step axis" in left["over_steps"]
    assert "padding becomes features" in left["flat"]
    assert "its zeros count as real" in left["zeros"]
    assert "wrap it in `KeepMask`" in left["mine"]
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


def converted(
    body: Any,
) -> tuple[keras.Model, keras.Model, dict[str, str]]:
    """A model, its clone, and why layers were left, by name."""
    model = graph(body)
    made, report = keras_masking.convert(model)
    assert_close(predict(made, IDS), predict(model, IDS))
    return model, made, {name: why for name, _, why in report.left}


def average(x: Any) -> Any:
    return theirs.GlobalAveragePooling1D()(x)


def test_what_reduces_the_steps_without_a_look_at_the_mask() -> None:
    class Last(theirs.Layer):
        def call(self, x: Any) -> Any:
            return x[:, -1]

    for body in (
        lambda x: keras.ops.mean(x, axis=1),
        lambda x: x[:, -1],
        Last(name="own"),
    ):
        (why,) = converted(body)[2].values()
        assert why.startswith("it reads padding")


def test_what_loses_the_mask_in_a_model_in_a_model() -> None:
    z = keras.Input((6, 4))
    y = theirs.LayerNormalization(axis=1, name="flat")(z) * 2.0
    inner = keras.Model(z, y)
    ids = keras.Input((6,), dtype="int32")
    x = theirs.Embedding(9, 4, mask_zero=True)(ids)
    model = keras.Model(ids, inner(x))
    _, report = keras_masking.convert(model)
    (_, kind, steps), (_, _, operation) = report.left
    assert kind == "LayerNormalization" and "include the step axis" in steps
    assert "an operation between layers" in operation

    # Layers with the same name in two models.
    ends = theirs.Flatten(name="flat"), theirs.UnitNormalization(1, name="flat")
    models = [keras.Model(z, end(z)) for end in ends]
    model = keras.Model(ids, [inner(x) for inner in models])
    _, report = keras_masking.convert(model)
    kinds = {kind for _, kind, _ in report.left}
    assert kinds == {"Flatten", "UnitNormalization"}


def test_a_model_in_time_distributed() -> None:
    inner = keras.Sequential(
        [
            keras.Input((None, 4)),
            theirs.Conv1D(3, 3, padding="same"),
            theirs.GlobalMaxPooling1D(),
        ],
    )
    ids = keras.Input((2, None), dtype="int32")
    x = theirs.Embedding(9, 4, mask_zero=True)(ids)
    x = theirs.TimeDistributed(inner)(x)
    model = weighted(keras.Model(ids, average(x)))
    made, report = keras_masking.convert(model)
    assert set(replaced(report)) == {
        "MaskedConv1D",
        "MaskedGlobalMaxPooling1D",
        "MaskedTimeDistributed",
        "MaskedGlobalAveragePooling1D",
    }
    assert not report.left
    segments = np.stack([IDS, IDS[::-1]], axis=1)
    padded = np.pad(segments, ((0, 0), (0, 0), (0, 3)))
    embedded = model.layers[1](segments)  # and the Keras model fails
    rows = [inner(keras.ops.convert_to_tensor(embedded[:, i])) for i in (0, 1)]
    wanted = np.mean([to_numpy(row) for row in rows], axis=0)
    assert_close(predict(made, segments), wanted)
    assert_close(predict(made, padded), wanted)


@pytest.mark.parametrize("place", ["by name", "by place"])
@pytest.mark.parametrize("kind", ["LSTM", "MultiHeadAttention"])
def test_explicit_masks_reach_a_layer_too(kind: str, place: str) -> None:
    ids = keras.Input((None,), dtype="int32")
    x, mask = theirs.Embedding(9, 4)(ids), keras.ops.not_equal(ids, 0)
    if kind == "LSTM":
        layer = theirs.LSTM(4, return_sequences=True)
        y = layer(x, mask=mask) if place == "by name" else layer(x, None, mask)
    else:
        layer = theirs.MultiHeadAttention(2, 3)
        y = layer(x, x, query_mask=mask, value_mask=mask)
    y = layers.MaskedGlobalAveragePooling1D()(y, mask=mask)
    model = weighted(keras.Model(ids, y))
    made, report = keras_masking.convert(model)
    assert len(report.replaced) == 1
    assert_close(predict(made, IDS), predict(model, IDS))
    assert_close(predict(made, PADDED), predict(model, IDS))


def test_one_call_with_an_explicit_mask_and_one_without() -> None:
    ids = keras.Input((None,), dtype="int32")
    others = keras.Input((None,), dtype="int32")
    embed = theirs.Embedding(9, 4, mask_zero=True)
    x, y = embed(ids), embed(others)
    lstm = theirs.LSTM(3)
    merged = lstm(theirs.Add()([x, y]))
    told = lstm(x, mask=keras.ops.not_equal(others, 0))
    model = weighted(keras.Model([ids, others], [merged, told]))
    made, report = keras_masking.convert(model)
    assert set(replaced(report)) == {"MaskedAdd", "MaskedLSTM"}
    short, long = np.array([[1, 2, 3]]), np.array([[4, 5, 6, 7, 8]])
    alone = model.predict([short, long[:, :3]], verbose=0)
    padded = np.pad(short, ((0, 0), (0, 2)))
    cut = np.where(padded > 0, long, 0)
    for got, wanted in zip(made.predict([padded, cut], verbose=0), alone):
        assert_close(got, wanted)
    # Real where both are: Keras' `or` does not stay in the graph.
    assert_close(made.predict([padded, long], verbose=0)[0], alone[0])


def test_an_initial_state_by_place() -> None:
    def body(x: Any) -> Any:
        state = theirs.Dense(4)(x[:, 0])
        return average(theirs.GRU(4, return_sequences=True)(x, state))

    _, made, left = converted(body)
    assert list(left.values()) == [STEP_BY_OPERATION]  # `x[:, 0]`
    assert_close(predict(made, PADDED), predict(made, IDS))


def test_a_mask_that_is_made_when_the_model_runs() -> None:
    if not hasattr(theirs, "ReversibleEmbedding"):
        pytest.skip("this Keras has no ReversibleEmbedding")
    ids = keras.Input((None,), dtype="int32")
    x = theirs.ReversibleEmbedding(9, 4, mask_zero=True)(ids)
    y = average(theirs.Conv1D(3, 3, padding="same")(x))
    made, report = keras_masking.convert(weighted(keras.Model(ids, y)))
    assert len(report.replaced) == 2 and not report.left
    assert_close(predict(made, PADDED), predict(made, IDS))


def test_no_false_alarms() -> None:
    def body(x: Any) -> Any:
        return average(theirs.Concatenate(axis=1)([x, x]))

    assert not converted(body)[2]


def test_what_makes_a_mask_is_no_operation_between_layers() -> None:
    def body(x: Any) -> Any:
        x = layers.TemporalConcatenate()([x, x])
        return theirs.LSTM(3)(x)

    model = graph(body)
    made, report = keras_masking.convert(model)
    assert replaced(report) == ["MaskedLSTM"] and not report.left
    _, again = keras_masking.convert(made)
    assert not again.replaced and not again.left


def test_what_ours_refuse_stays() -> None:
    ids = keras.Input((2, 6), dtype="int32")
    x = theirs.Embedding(9, 4, mask_zero=True)(ids)
    y = theirs.Add(name="four_axes")([x, x])
    _, report = keras_masking.convert(keras.Model(ids, y))
    assert "must have shape (batch, steps)" in report.left[0][2]
    assert not report.replaced

    def unrolled(x: Any) -> Any:
        how = {"unroll": True, "go_backwards": True}
        return theirs.GRU(3, name="unrolled", **how)(x)

    ids = keras.Input((6,), dtype="int32")
    x = theirs.Embedding(9, 4, mask_zero=True)(ids)
    model = weighted(keras.Model(ids, unrolled(x)))
    made, report = keras_masking.convert(model)
    assert "unroll" in report.left[0][2] and not report.replaced
    for old, new in zip(model.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


def test_lambdas_and_functions_as_loss() -> None:
    def loss(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    model = graph(
        lambda x: average(theirs.Lambda(lambda x: 2 * x, name="double")(x))
    )
    model.compile("adam", loss)
    made, report = keras_masking.convert(model)
    left = {name: why for name, _, why in report.left}
    assert "wrap it in `KeepMask`" in left["double"]
    assert "not recompiled" in left[model.name]
    assert_close(predict(made, IDS), predict(model, IDS))


def test_names_and_dtypes_are_carried_over() -> None:
    x = keras.Input((None, 4), name="steps", dtype="float16")
    masked = theirs.Masking(dtype="float16")(x)
    model = keras.Model(x, masked + masked)
    made, report = keras_masking.convert(model)
    assert replaced(report) == ["MaskedAdd"]
    assert made.input.name == "steps"
    assert made.output_names == model.output_names
    assert made.layers[-1].compute_dtype == "float16"
    values = np.random.default_rng(0).normal(size=(2, 3, 4))
    values = values.astype("float16")
    np.testing.assert_array_equal(predict(made, values), values + values)
    sequential = keras.Sequential([keras.Input((3,), name="three")])
    sequential.add(theirs.Dense(2))
    made, _ = keras_masking.convert(sequential)
    assert made.inputs[0].name == "three"


def test_what_was_learned_besides_weights() -> None:
    steps = np.random.default_rng(0).normal(3.0, 2.0, size=(9, 5, 4))
    normalization = theirs.Normalization()
    normalization.adapt(steps)
    x = keras.Input((None, 4))
    y = average(theirs.Masking()(normalization(x)))
    model = keras.Model(x, y)
    made, _ = keras_masking.convert(model)
    assert_close(predict(made, steps), predict(model, steps))


@pytest.mark.parametrize("kind", ["sequential", "functional", "in segments"])
def test_a_mask_that_is_born_in_a_model_in_a_model(kind: str) -> None:
    ids = keras.Input((None,), dtype="int32")
    embedding = theirs.Embedding(9, 4, mask_zero=True)
    if kind == "functional":
        inner = keras.Model(ids, theirs.Dense(4)(embedding(ids)))
    else:
        inner = keras.Sequential([ids, embedding, theirs.Dense(4)])
    if kind == "in segments":
        for layer in (theirs.Conv1D(3, 3), theirs.GlobalMaxPooling1D()):
            inner.add(layer)
        segments = keras.Input((2, None), dtype="int32")
        y = theirs.Flatten()(theirs.TimeDistributed(inner)(segments))
        model = weighted(keras.Model(segments, y))
        short, long = (np.stack([x, x[::-1]], 1) for x in (IDS, PADDED))
    else:
        y = theirs.Conv1D(3, 3, padding="same")(inner(ids))
        model = weighted(keras.Model(ids, theirs.GlobalMaxPooling1D()(y)))
        short, long = IDS, PADDED
    made, report = keras_masking.convert(model)
    assert replaced(report) == ["MaskedConv1D", "MaskedGlobalMaxPooling1D"]
    assert not report.left
    assert_close(predict(made, short), predict(model, short))
    assert_close(predict(made, long), predict(model, short))


def test_a_lambda_that_takes_the_steps_away() -> None:
    last = theirs.Lambda(lambda x: x[:, -1], name="last")
    assert list(converted(last)[2]) == ["last"]


def test_attention_of_more_axes_in_a_model_in_a_model() -> None:
    z = keras.Input((6, 4))
    visible = keras.Input((2, 6, 6), dtype="bool")
    attention = theirs.MultiHeadAttention(2, 3, name="heads")
    inner = keras.Model([z, visible], attention(z, z, attention_mask=visible))
    ids = keras.Input((6,), dtype="int32")
    x = theirs.Embedding(9, 4, mask_zero=True)(ids)
    model = weighted(keras.Model([ids, visible], inner([x, visible])))
    made, report = keras_masking.convert(model)
    assert [name for name, _, _ in report.left] == ["heads"]
    data = [IDS, np.random.default_rng(0).random((2, 2, 6, 6)) < 0.8]
    assert_close(predict(made, data), predict(model, data))


def test_a_scaled_sequence() -> None:
    """Keras marks the product of a tensor and a number as sparse."""
    ids = keras.Input((None,), dtype="int32")
    x = theirs.Embedding(9, 4)(ids) * 2.0
    mask = keras.ops.not_equal(ids, 0)
    y = theirs.LSTM(4, return_sequences=True)(sequences=x, mask=mask)
    y = layers.MaskedGlobalAveragePooling1D()(y, mask=mask)
    model = weighted(keras.Model(ids, y))
    made, report = keras_masking.convert(model)
    assert replaced(report) == ["MaskedLSTM"] and not report.left
    assert_close(predict(made, PADDED), predict(model, IDS))


def test_a_subclass_that_computes_something_else_is_not_looked_into() -> None:
    class Twice(keras.Sequential):
        def call(self, inputs: Any, training: Any = None) -> Any:
            return 2 * super().call(inputs, training=training)

    twice = Twice([keras.Input((None, 4)), theirs.Conv1D(4, 3)], name="twice")
    model = graph(lambda x: average(twice(x)))
    made, report = keras_masking.convert(model)
    assert [name for name, _, _ in report.left] == ["twice"]
    assert_close(predict(made, IDS), predict(model, IDS))
    with pytest.raises(ValueError, match="must be a Functional or Sequential"):
        keras_masking.convert(twice)
