"""The report of `convert` names exactly what differs without padding."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as theirs

import keras_masking
from keras_masking.counterparts import DROP_INS
from keras_masking.counterparts import WRAPPED
from tests.helpers import to_numpy

# Keras' warnings are expected: its models lose masks.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*destroy the mask"),
    # Keras 3.12, of transposed convolutions.
    pytest.mark.filterwarnings("ignore:.*inconsistencies across backends"),
]

BACKEND = keras.backend.backend()
# Other backends compile for each length: test an odd and an even one.
LENGTHS = range(5, 10) if BACKEND == "torch" else (8, 9)
ROUNDING = 1e-4  # of values near 1; reported differences exceed 1e-2


def pair(make: Any) -> Any:
    """One layer with two sequences."""
    return lambda x: make([x, theirs.Dense(4, name="other")(x)])


def windows(kind: Any, *first: int) -> list[Any]:
    """One layer of each kind of window."""
    return [
        kind(*first, size, strides=strides, padding=padding)
        for size, strides in ((2, 1), (2, 2), (3, 2), (3, 3), (4, 1), (4, 3))
        for padding in ("same", "valid")
    ]


def recurrent(kind: Any) -> list[Any]:
    return [kind(3, return_sequences=True), kind(3, go_backwards=True)]


# The replaced Keras class: layers, or functions of a sequence.
MADE = {
    "Add": lambda: [pair(theirs.Add()), pair(lambda two: two[0] + two[1])],
    "AdditiveAttention": lambda: [pair(theirs.AdditiveAttention())],
    "Attention": lambda: [
        pair(theirs.Attention(use_scale=True)),
        pair(theirs.Attention(score_mode="concat")),
    ],
    "Average": lambda: [pair(theirs.Average())],
    "AveragePooling1D": lambda: windows(theirs.AveragePooling1D),
    "Bidirectional": lambda: [
        theirs.Bidirectional(theirs.GRU(3, return_sequences=True)),
        theirs.Bidirectional(theirs.LSTM(3), merge_mode="sum"),
    ],
    "Concatenate": lambda: [
        pair(theirs.Concatenate()),
        pair(theirs.Concatenate(1)),
    ],
    "Conv1D": lambda: [
        *windows(theirs.Conv1D, 4),
        theirs.Conv1D(4, 3, padding="causal", strides=2),
        theirs.Conv1D(4, 3, padding="same", dilation_rate=2),
    ],
    "Conv1DTranspose": lambda: [
        *(  # Keras 3.12 fails for even windows without strides on torch
            layer
            for layer in windows(theirs.Conv1DTranspose, 4)
            if layer.strides != (1,)
        ),
        theirs.Conv1DTranspose(4, 3, padding="same"),
        theirs.Conv1DTranspose(4, 3, 2, output_padding=1),
    ],
    "Cropping1D": lambda: [theirs.Cropping1D((1, 2))],
    "DepthwiseConv1D": lambda: windows(theirs.DepthwiseConv1D),
    "EinsumDense": lambda: [theirs.EinsumDense("abc,cd->abd", (None, 3))],
    "GRU": lambda: recurrent(theirs.GRU),
    "GlobalAveragePooling1D": lambda: [theirs.GlobalAveragePooling1D()],
    "GlobalMaxPooling1D": lambda: [theirs.GlobalMaxPooling1D(keepdims=True)],
    "GroupNormalization": lambda: [
        theirs.GroupNormalization(groups) for groups in (1, 2, -1)
    ],
    "GroupQueryAttention": lambda: [
        lambda x: theirs.GroupQueryAttention(3, 2, 1)(x, x)
    ],
    "LSTM": lambda: recurrent(theirs.LSTM),
    "MaxPooling1D": lambda: windows(theirs.MaxPooling1D),
    "Maximum": lambda: [pair(theirs.Maximum())],
    "Minimum": lambda: [pair(theirs.Minimum())],
    "MultiHeadAttention": lambda: [
        lambda x: theirs.MultiHeadAttention(2, 3)(x, x),
        lambda x: theirs.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True),
    ],
    "Multiply": lambda: [
        pair(theirs.Multiply()),
        pair(lambda two: two[0] * two[1]),
    ],
    "RMSNormalization": lambda: [theirs.RMSNormalization()],
    "RNN": lambda: [
        theirs.RNN([theirs.GRUCell(3), theirs.SimpleRNNCell(2)]),
    ],
    "SeparableConv1D": lambda: windows(theirs.SeparableConv1D, 4),
    "SimpleRNN": lambda: recurrent(theirs.SimpleRNN),
    "Subtract": lambda: [pair(theirs.Subtract())],
    "TimeDistributed": lambda: [theirs.TimeDistributed(theirs.Dense(3))],
    "UpSampling1D": lambda: [theirs.UpSampling1D(3)],
}
# Cases that depend on the backend or the window.
FEW = {
    "AveragePooling1D": lambda: [
        theirs.AveragePooling1D(3, 2, "same"),
        theirs.AveragePooling1D(4, 1, "same"),
    ],
    "Conv1D": lambda: [theirs.Conv1D(4, 4, 3, padding="same")],
    "Conv1DTranspose": lambda: [
        theirs.Conv1DTranspose(4, 4, 3, padding="same")
    ],
    "MaxPooling1D": lambda: [theirs.MaxPooling1D(3, 2, "same")],
}


def test_each_layer_that_is_replaced_is_here() -> None:
    assert set(MADE) == {*DROP_INS, *WRAPPED, "TimeDistributed"}


def model_of(body: Any, steps: int | None = None) -> keras.Model:
    ids = keras.Input((steps,), dtype="int32")
    x = theirs.Embedding(30, 4, mask_zero=True)(ids)
    model = keras.Model(ids, body(x))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def moved(old: keras.Model, new: keras.Model, steps: int) -> bool:
    """Whether the two differ on sequences with that many real steps."""
    ids = np.random.default_rng(steps).integers(1, 30, size=(3, steps))
    old_values, new_values = (
        to_numpy(m(ids.astype("int32"))) for m in (old, new)
    )
    assert old_values.shape == new_values.shape
    return bool(np.abs(old_values - new_values).max() > ROUNDING)


@pytest.mark.parametrize("kind", MADE if BACKEND == "torch" else FEW)
def test_what_differs_without_padding_is_named(kind: str) -> None:
    """Strided `same` windows moved; the report said "1 replaced, 0 left"."""
    for body in (MADE if BACKEND == "torch" else FEW)[kind]():
        model = model_of(body)
        made, report = keras_masking.convert(model)
        assert report.replaced and not report.left
        named = {
            n
            for n in LENGTHS
            for one in report.differs
            if n % one.strides in one.remainders
        }
        assert named == {n for n in LENGTHS if moved(model, made, n)}, body


def test_a_number_of_steps_that_is_known_decides() -> None:
    for steps, remainders in ((8, []), (7, [(1,)])):
        down = theirs.Conv1D(4, 3, strides=2, padding="same", name="down")
        _, report = keras_masking.convert(model_of(down, steps))
        assert [one.remainders for one in report.differs] == remainders


def test_the_text_says_where() -> None:
    inner = theirs.Conv1D(4, 3, strides=2, padding="same", name="inner")
    segments = keras.Input((2, None), dtype="int32")
    x = theirs.Embedding(9, 4, mask_zero=True)(segments)
    model = keras.Model(segments, theirs.TimeDistributed(inner)(x))
    text = str(keras_masking.convert(model)[1])
    line = "differs   inner: Conv1D: without padding, where its steps % 2 is 1"
    assert line in text
    assert text.endswith("2 replaced, 0 left, 1 different without padding")

    pool = theirs.MaxPooling1D(4, 4, "same", name="pool")
    text = str(keras_masking.convert(model_of(pool))[1])
    assert (
        "pool: MaxPooling1D: without padding, where its steps % 4 is 1 or 2"
        in text
    )


def test_averages_whose_edge_steps_count_twice_on_torch() -> None:
    """A small model differed by 0.01 at 8 steps, which 2 divides."""
    pool = theirs.AveragePooling1D(3, 2, "same", name="pool")
    model = model_of(pool)
    made, report = keras_masking.convert(model)
    anywhere = "pool: AveragePooling1D: without padding, at any number of steps"
    assert (anywhere in str(report)) == moved(model, made, 8)


def statistics(model: keras.Model, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The moving means after a training batch; they are restored."""
    before = model.get_weights()
    model(ids, training=True)
    found = {
        layer.name: to_numpy(layer.moving_mean)
        for layer in model._flatten_layers()
        if isinstance(layer, theirs.BatchNormalization)
    }
    model.set_weights(before)
    return found


def counting_padding(model: keras.Model) -> set[str]:
    """The batch normalizations whose statistics padding moves."""
    ids = np.array([[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]], "int32")
    alone = statistics(model, ids)
    padded = statistics(model, np.pad(ids, ((0, 0), (0, 4))))
    return {
        name
        for name, mean in alone.items()
        if np.abs(mean - padded[name]).max() > ROUNDING
    }


@pytest.mark.parametrize("nested", [False, True])
def test_statistics_that_were_learned_with_padding_are_named(
    nested: bool,
) -> None:
    def block(x: Any) -> Any:
        x = theirs.BatchNormalization(name="early")(x)
        x = theirs.Conv1D(4, 3, padding="same")(x)
        return theirs.BatchNormalization(name="late")(x)

    def body(x: Any) -> Any:
        inner = keras.Input((None, 4))
        x = keras.Model(inner, block(inner))(x) if nested else block(x)
        return theirs.GlobalAveragePooling1D()(x)

    model = model_of(body)
    made, report = keras_masking.convert(model)
    assert counting_padding(model) == {"late"} and not counting_padding(made)
    assert [name for name, _, _ in report.fine_tune] == ["late"]
    assert "fine-tune late: BatchNormalization: its statistics" in str(report)
    assert str(report).endswith("2 replaced, 0 left, 1 to fine-tune")


def test_statistics_that_nothing_has_taught_are_not_named() -> None:
    x = keras.Input((None, 4))
    y = theirs.Conv1D(4, 3)(theirs.Masking()(x))
    model = keras.Model(x, theirs.BatchNormalization()(y))
    assert not keras_masking.convert(model)[1].fine_tune


def test_a_saved_model_by_its_path(tmp_path: Path) -> None:
    """It was an AttributeError."""
    path = tmp_path / "model.keras"
    model = model_of(theirs.GlobalMaxPooling1D())
    model.save(path)
    for name in (path, str(path)):
        made, report = keras_masking.convert(name)
        assert len(report.replaced) == 1 and not moved(model, made, 8)


@pytest.mark.parametrize("model", [None, 3, theirs.Dense(2)], ids=str)
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="In `convert`: `model` must be a "):
        keras_masking.convert(model)


def test_a_mask_by_argument_alone_is_not_lost() -> None:
    """The report said "it loses the mask" where no tensor carries one."""

    class Encoder(theirs.Layer):
        def call(self, x: Any, padding_mask: Any = None) -> Any:
            return x * keras.ops.cast(padding_mask, "float32")[..., None]

    x, real = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    model = keras.Model([x, real], Encoder()(x, padding_mask=real))
    assert str(keras_masking.convert(model)[1]) == "0 replaced, 0 left"
