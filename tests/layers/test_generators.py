"""AttachMask, GetMask and LengthMask: masks in and out of a model."""

import keras
import numpy as np
import pytest

from keras_masking import layers
from tests.cases import X
from tests.helpers import MASKS
from tests.helpers import mask_of
from tests.helpers import to_numpy

MASK = MASKS["holes"]


@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
def test_attach_keeps_values_and_dtype(dtype: str) -> None:
    x = X.astype(dtype)
    y = layers.AttachMask(dtype="float16")(x, mask=MASK)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    np.testing.assert_array_equal(to_numpy(y), x)
    np.testing.assert_array_equal(mask_of(y), MASK)


def test_get_returns_the_mask() -> None:
    get = layers.GetMask()
    x = layers.AttachMask()(X, mask=MASK)
    np.testing.assert_array_equal(to_numpy(get(x)), MASK)
    np.testing.assert_array_equal(to_numpy(get(X)), np.ones((3, 7), bool))
    np.testing.assert_array_equal(to_numpy(get(x, mask=~MASK)), ~MASK)
    assert mask_of(get(x)) is None


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "float32"])
@pytest.mark.parametrize("column", [False, True])
def test_lengths(dtype: str, column: bool) -> None:
    lengths = np.array([7, 0, 3], dtype)
    wanted = [[step < n for step in range(7)] for n in (7, 0, 3)]
    y = layers.LengthMask()([X, lengths[:, None] if column else lengths])
    np.testing.assert_array_equal(to_numpy(y), X)
    np.testing.assert_array_equal(mask_of(y), wanted)


def test_lengths_and_a_carried_mask() -> None:
    x = layers.AttachMask()(X, mask=MASK)
    y = layers.LengthMask()([x, np.array([7, 0, 3])])
    wanted = MASK & np.array(
        [[True] * 7, [False] * 7, [True] * 3 + [False] * 4]
    )
    np.testing.assert_array_equal(mask_of(y), wanted)
    np.testing.assert_array_equal(mask_of(x), MASK)
    z = layers.LengthMask()([X, np.array([7, 0, 3])], mask=MASK)
    np.testing.assert_array_equal(mask_of(z), wanted)


@pytest.mark.parametrize("steps", [None, 7])
def test_lengths_in_a_saved_model(steps: int | None, tmp_path: object) -> None:
    x = keras.Input((steps, 4))
    lengths = keras.Input((), dtype="int32")
    h = layers.LengthMask()([x, lengths])
    y = layers.MaskedGlobalMaxPooling1D()(keras.layers.Dense(4)(h))
    model = keras.Model([x, lengths], [y, layers.GetMask()(h)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = [X, np.array([2, 0, 7], "int32")]
    for one, other in zip(
        model.predict(batch, verbose=0), loaded.predict(batch, verbose=0)
    ):
        np.testing.assert_array_equal(one, other)
    assert model.predict(batch, verbose=0)[1].sum(axis=1).tolist() == [2, 0, 7]


def test_ids_with_a_mask_of_their_own() -> None:
    """An integer tensor carries its mask through an embedding."""
    ids = layers.AttachMask()(np.array([[1, 2, 3]]), mask=[[1, 0, 1]])
    y = layers.CustomEmbedding(4, 2)(ids)
    np.testing.assert_array_equal(mask_of(y), [[True, False, True]])
