"""AttentionPooling1D: the weights that it learns and returns."""

import keras
import numpy as np
import pytest

from keras_masking import layers
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import to_numpy

X, MASK = sample(), MASKS["empty"] & MASKS["holes"]


def test_weights_are_those_that_made_the_average() -> None:
    pool = layers.AttentionPooling1D(3, 5)
    x = poisoned(X, MASK, np.nan)
    y, scores = pool(x, mask=MASK, return_attention_scores=True)
    assert mask_of(y) is None and mask_of(scores) is None
    np.testing.assert_array_equal(to_numpy(y), to_numpy(pool(x, mask=MASK)))
    scores = to_numpy(scores)
    assert scores.shape == (3, 3, 7)
    assert np.all(scores[~np.repeat(MASK[:, None], 3, axis=1)] == 0)
    some = MASK.any(axis=1)
    assert_close(scores.sum(axis=-1), np.repeat(some[:, None], 3, axis=1))
    assert np.all(scores[~some] == 0)
    wanted = [
        [sum(w * v for w, v in zip(scores[b, h], X[b])) for h in range(3)]
        for b in range(3)
    ]
    assert_close(y, np.array(wanted).reshape(3, 12))


def test_weights_out_of_a_functional_model() -> None:
    x = keras.Input((None, 4))
    mask = keras.Input((None,), dtype="bool")
    pool = layers.AttentionPooling1D(2)
    outputs = pool(
        layers.AttachMask()(x, mask=mask), return_attention_scores=True
    )
    assert [y.shape for y in outputs] == [(None, 8), (None, 2, None)]
    model = keras.Model([x, mask], outputs)
    got = model.predict([X, MASK], verbose=0)
    for y, z in zip(got, pool(X, mask=MASK, return_attention_scores=True)):
        assert_close(y, to_numpy(z))


@pytest.mark.parametrize("hidden_dim", [None, 3])
def test_no_features(hidden_dim: int | None) -> None:
    """It raised; on TensorFlow 2 rows became 4."""
    pool = layers.AttentionPooling1D(2, hidden_dim)
    mask = np.array([[True, True, False, True], [False] * 4])
    x = np.zeros((2, 4, 0), "float32")
    y, scores = pool(x, mask=mask, return_attention_scores=True)
    assert to_numpy(y).shape == (2, 0)
    # The steps are all alike.
    wanted = [[1 / 3, 1 / 3, 0, 1 / 3], [0.0] * 4]
    assert_close(scores, [[row, row] for row in wanted])


def test_equal_scores_are_a_mean() -> None:
    pool = layers.AttentionPooling1D(kernel_initializer="zeros")
    mean = layers.MaskedGlobalAveragePooling1D()(X, mask=MASK)
    assert_close(pool(X, mask=MASK), to_numpy(mean))


def test_learns_which_step_counts() -> None:
    """The target is the step that its first feature marks."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8, 3)).astype("float32")
    x[..., 0] = 0
    lengths = rng.integers(2, 9, 256)
    mask = np.arange(8) < lengths[:, None]
    marked = rng.integers(0, lengths)
    x[np.arange(256), marked, 0] = 1
    x = poisoned(x, mask, 1.0)  # the padding is marked everywhere
    y = x[np.arange(256), marked, 1:]
    inputs = keras.Input((8, 3))
    given = keras.Input((8,), dtype="bool")
    pooled = layers.AttentionPooling1D()(
        layers.AttachMask()(inputs, mask=given)
    )
    model = keras.Model([inputs, given], keras.layers.Dense(2)(pooled))
    model.compile(keras.optimizers.Adam(0.1), "mse")
    model.fit([x, mask], y, epochs=15, batch_size=64, verbose=0)
    assert model.evaluate([x, mask], y, verbose=0) < 0.1


def test_integers_are_scored_as_floats() -> None:
    ids = np.arange(20).reshape(1, 5, 4)
    pool = layers.AttentionPooling1D(
        kernel_initializer=keras.initializers.Constant(0.05)
    )
    assert_close(pool(ids), to_numpy(pool(ids.astype("float32"))))
