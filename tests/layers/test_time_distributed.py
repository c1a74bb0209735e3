"""MaskedTimeDistributed: each segment gives the same as alone, unpadded."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from tests import recurrent
from tests.helpers import assert_close
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import to_numpy

# Two rows of three segments: full, right, left, holes, empty; the last row
# starts with a padding segment.
STEPS = np.array(
    [
        [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]],
        [[0, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 1, 0, 1, 1]],
    ],
    bool,
)
SEGMENTS = STEPS.any(axis=-1)
X = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")
NAN = np.where(STEPS[..., None], X, np.float32(np.nan))
FOLDED, ROWS = X.reshape(6, 5, 4), STEPS.reshape(6, 5)


def around(layer: keras.layers.Layer, shape: Any = X.shape) -> Any:
    """The built wrapper and its fixed weights."""
    wrapper = layers.MaskedTimeDistributed(layer)
    wrapper.build(shape)
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=w.shape) for w in wrapper.get_weights()]
    wrapper.set_weights(weights)
    return wrapper, weights


def test_a_layer_that_reduces() -> None:
    wrapper, weights = around(keras.layers.LSTM(3))
    y = wrapper(NAN, mask=STEPS)
    wanted = recurrent.lasts("LSTM", FOLDED, ROWS, weights)
    assert_close(y, wanted.reshape(2, 3, 3))
    np.testing.assert_array_equal(mask_of(y), SEGMENTS)


@pytest.mark.parametrize("backwards", [False, True])
def test_a_layer_that_keeps_the_steps(backwards: bool) -> None:
    how = {"return_sequences": True, "go_backwards": backwards}
    wrapper, weights = around(keras.layers.SimpleRNN(3, **how))
    y = wrapper(NAN, mask=STEPS)
    wanted = recurrent.sequences(
        "SimpleRNN", FOLDED, ROWS, weights, backwards=backwards
    )
    assert_close(y, wanted.reshape(2, 3, 5, 3))
    real = STEPS[..., ::-1] if backwards else STEPS
    np.testing.assert_array_equal(mask_of(y), real)


def test_a_layer_with_a_mask_of_its_own() -> None:
    """A window of 2 is real if both steps are."""
    wrapper, (kernel, bias) = around(layers.MaskedConv1D(3, 2))
    y = wrapper(NAN, mask=STEPS)
    assert to_numpy(y).shape == (2, 3, 4, 3)
    for row in range(2):
        for segment in range(3):
            for t in range(4):
                here = (row, segment, t)
                real = bool(STEPS[row, segment, t : t + 2].all())
                assert bool(mask_of(y)[here]) is real
                pair = X[row, segment, t : t + 2].astype("float64")
                value = bias + sum(pair[k] @ kernel[k] for k in range(2))
                assert_close(y[here], value if real else [0, 0, 0])


def test_masks_of_segments() -> None:
    """For vectors and sequences: all steps of a real segment are real."""
    x = X[:, :, 0]
    wrapper, (kernel, bias) = around(keras.layers.Dense(2), x.shape)
    y = wrapper(poisoned(x, SEGMENTS, np.nan), mask=SEGMENTS)
    np.testing.assert_array_equal(mask_of(y), SEGMENTS)
    rnn, weights = around(keras.layers.GRU(3))
    z = rnn(poisoned(X, SEGMENTS[..., None], np.nan), mask=SEGMENTS)
    np.testing.assert_array_equal(mask_of(z), SEGMENTS)
    for place in np.ndindex(2, 3):
        value = x[place].astype("float64") @ kernel + bias
        assert_close(y[place], value if SEGMENTS[place] else [0, 0])
        outputs, _ = recurrent.run("GRU", X[place].tolist(), weights)
        assert_close(z[place], outputs[-1] if SEGMENTS[place] else [0, 0, 0])


class Counts(keras.layers.Layer):
    """Counts the real steps of the mask it gets."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        told = ops.ones_like(inputs[..., 0]) if mask is None else mask
        return ops.sum(ops.cast(told, "float32"), axis=1, keepdims=True)


def test_what_the_layer_is_told() -> None:
    counts = layers.MaskedTimeDistributed(Counts())
    np.testing.assert_array_equal(
        to_numpy(counts(X, mask=STEPS))[..., 0], STEPS.sum(axis=-1)
    )
    np.testing.assert_array_equal(
        to_numpy(counts(X, mask=SEGMENTS))[..., 0], 5 * SEGMENTS
    )
    np.testing.assert_array_equal(to_numpy(counts(X)), np.full((2, 3, 1), 5))


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.LSTM(3),
        lambda: keras.layers.GRU(3, return_sequences=True),
        lambda: keras.layers.Dense(3),
        lambda: keras.layers.Conv1D(2, 3),
        lambda: keras.layers.Flatten(),
        lambda: keras.layers.GlobalMaxPooling1D(),
    ],
    ids=["LSTM", "GRU", "Dense", "Conv1D", "Flatten", "GlobalMaxPooling1D"],
)
def test_drops_in(make: Any) -> None:
    theirs = keras.layers.TimeDistributed(make())
    theirs.build(X.shape)
    ours, _ = around(make())
    theirs.set_weights(ours.get_weights())
    y = ours(X)
    assert_close(y, to_numpy(theirs(X)))
    assert mask_of(y) is None
    assert ours.compute_output_shape(X.shape) == y.shape
    assert set(theirs.get_config()) <= set(ours.get_config())
    symbol = ours(keras.Input((None, *X.shape[2:])))
    assert symbol.shape == (None, None, *y.shape[2:])


def text_model() -> keras.Model:
    """Words to sentences to a text, with masks made by Keras."""
    ids = keras.Input((None, None), dtype="int32")
    words = layers.MaskedTimeDistributed(
        keras.layers.Embedding(9, 4, mask_zero=True)
    )(ids)
    sentences = layers.MaskedTimeDistributed(keras.layers.SimpleRNN(3))(words)
    text = layers.KeepMask(keras.layers.GRU(2))(sentences)
    model = keras.Model(ids, text)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def test_words_to_sentences_to_a_text(tmp_path: Path) -> None:
    model = text_model()
    table, *weights = model.get_weights()
    text = [[3, 1, 4, 1], [5], [2, 6]]
    sentences = [
        recurrent.run("SimpleRNN", table[s].tolist(), weights[:3])[0][-1]
        for s in text
    ]
    wanted = recurrent.run("GRU", sentences, weights[3:])[0][-1]
    ids = np.array([[[3, 1, 4, 1], [5, 0, 0, 0], [0, 2, 0, 6]]])
    more = np.pad(ids, ((0, 0), (0, 2), (0, 3)))
    before = np.pad(ids, ((0, 0), (1, 1), (2, 0)))
    for given in (ids, more, before):
        assert_close(model.predict(given, verbose=0), [wanted])
    model.save(tmp_path / "text.keras")
    loaded = keras.saving.load_model(tmp_path / "text.keras")
    assert_close(loaded.predict(more, verbose=0), [wanted])


def test_masks_of_a_mask_of_segments_and_of_the_layer_join() -> None:
    ids = np.array([[[3, 0], [2, 1]]])
    layer = layers.MaskedTimeDistributed(
        keras.layers.Embedding(4, 2, mask_zero=True)
    )
    np.testing.assert_array_equal(mask_of(layer(ids)), ids != 0)
    y = layer(ids, mask=np.array([[False, True]]))
    wanted = [[[False, False], [True, True]]]
    np.testing.assert_array_equal(mask_of(y), wanted)
    assert np.all(to_numpy(y)[0, 0] == 0)


def test_a_wrapper_in_a_wrapper() -> None:
    x, mask = np.stack([NAN, NAN[:, ::-1]]), np.stack([STEPS, STEPS[:, ::-1]])
    inner = layers.MaskedTimeDistributed(layers.MaskedGlobalAveragePooling1D())
    y = layers.MaskedTimeDistributed(inner)(x, mask=mask)
    np.testing.assert_array_equal(mask_of(y), mask.any(axis=-1))
    for place in np.ndindex(mask.shape[:3]):
        steps = x[place][mask[place]].tolist()
        means = [sum(v) / len(steps) for v in zip(*steps)]
        assert_close(y[place], means or [0] * 4)


def test_gradients_see_no_padding() -> None:
    """A segment has its gradient when alone, also with NaN at padding."""
    wrapper, _ = around(keras.layers.SimpleRNN(3))
    w = np.random.default_rng(4).normal(size=(2, 3, 3)).astype("float32")

    def loss(x: Any) -> Any:
        return ops.sum(ops.multiply(wrapper(x, mask=STEPS), w))

    (got,) = gradient(loss, NAN)
    assert np.all(got[~STEPS] == 0)
    for place in np.ndindex(2, 3):
        if not SEGMENTS[place]:
            continue
        alone = X[place][STEPS[place]][None]
        (wanted,) = gradient(
            lambda x, w=w[place]: ops.sum(ops.multiply(wrapper.layer(x), w)),
            alone,
        )
        assert_close(got[place][STEPS[place]], wanted[0])


def test_nothing_at_all() -> None:
    wrapper, _ = around(keras.layers.SimpleRNN(3))
    for shape in ((0, 3, 5, 4), (2, 0, 5, 4), (2, 3, 0, 4)):
        y = wrapper(np.zeros(shape, "float32"), mask=np.ones(shape[:3], bool))
        assert to_numpy(y).shape == (*shape[:2], 3)
        assert np.all(to_numpy(y) == 0)
        assert mask_of(y).shape == shape[:2]


def test_half_precision() -> None:
    wrapper = layers.MaskedTimeDistributed(
        keras.layers.Dense(2, kernel_initializer="ones", dtype="float16")
    )
    y = wrapper(NAN, mask=STEPS)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    wanted = np.where(STEPS[..., None], X.sum(axis=-1, keepdims=True), 0)
    assert_close(ops.cast(y, "float32"), wanted.repeat(2, -1), "float16")
