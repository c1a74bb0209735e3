"""Positions count real steps, and the mask is kept."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from tests.cases import weights
from tests.helpers import BACKEND
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import mask_of
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample()
TABLE = weights(5, 4)


def positions(length: int = 5) -> keras.layers.Layer:
    layer = layers.MaskedPositionEmbedding(length)
    layer.build((None, None, 4))
    layer.set_weights([weights(length, 4)])
    return layer


@pytest.mark.parametrize(
    "layer", [positions(9), layers.MaskedSinePositionEncoding()]
)
@pytest.mark.parametrize("left", [1, 2, 30])
def test_left_padding_moves_nothing(layer: Any, left: int) -> None:
    plain = to_numpy(layer(X))
    padded = np.pad(X, ((0, 0), (left, 0), (0, 0)))
    mask = np.arange(7 + left)[None].repeat(3, axis=0) >= left
    y = to_numpy(layer(padded, mask=mask))
    np.testing.assert_array_equal(y[:, left:], plain)
    np.testing.assert_array_equal(y[:, :left], 0)


def test_more_columns_than_positions() -> None:
    mask = np.array([[0, 1, 0, 1, 1, 1, 1]] * 3, bool)
    y = to_numpy(positions()(X, mask=mask))
    np.testing.assert_array_equal(y[0][mask[0]], TABLE)


def test_too_many_real_steps_give_nan_where_nothing_can_be_raised() -> None:
    layer = positions()
    with pytest.raises(ValueError, match="longest=7"):
        layer(X)
    call, x = compiled(lambda x: layer(x)), ops.convert_to_tensor(X)
    if BACKEND == "torch":  # its check runs outside the graph
        with pytest.raises(ValueError, match="longest=7"):
            call(x)
        return
    y = to_numpy(call(x))
    np.testing.assert_array_equal(y[:, :5], TABLE[None].repeat(3, axis=0))
    assert np.isnan(y[:, 5:]).all()


def test_the_textbook_transformer_keeps_its_mask() -> None:
    """Keras' Add loses the mask if the embedding has none."""
    ids = np.array([[3, 1, 0], [2, 0, 0]])
    tokens = keras.layers.Embedding(4, 4, mask_zero=True)(ids)
    plain = keras.layers.Embedding(3, 4)(np.arange(3)[None].repeat(2, axis=0))
    assert mask_of(keras.layers.Add()([tokens, plain])) is None
    ours = keras.layers.Add()([tokens, positions()(tokens)])
    np.testing.assert_array_equal(mask_of(ours), ids != 0)


def test_sines_of_half_precision_are_those_of_float32() -> None:
    """float16 cannot represent all positions above 2048."""
    x = np.zeros((1, 3000, 6), "float32")
    exact = to_numpy(layers.MaskedSinePositionEncoding()(x))
    half = layers.MaskedSinePositionEncoding(dtype="float16")(x)
    assert_close(ops.cast(half, "float32"), exact, "float16")


@pytest.mark.parametrize("features", [1, 3, 4])
def test_an_odd_number_of_features(features: int) -> None:
    x = np.zeros((1, 6, features), "float32")
    y = to_numpy(layers.MaskedSinePositionEncoding(50.0)(x))[0]
    wanted = np.zeros((6, features))
    for k in range(6):
        for i in range(features):
            angle = k / 50.0 ** ((i - i % 2) / features)
            wanted[k, i] = np.cos(angle) if i % 2 else np.sin(angle)
    assert_close(y, wanted)
