"""NaNMask: NaN marks missing values, by step or by feature."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from tests.helpers import assert_close
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample()
GONE = np.random.default_rng(4).random(X.shape) < 0.3
GONE[0, 2] = GONE[1, :4] = GONE[2] = True
GAPS = np.where(GONE, np.float32(np.nan), X)
WHOLE = {"all": ~GONE.all(axis=-1), "any": ~GONE.any(axis=-1)}


@pytest.mark.parametrize("missing", ["all", "any"])
def test_marks_and_fills(missing: str) -> None:
    y = layers.NaNMask(missing=missing)(GAPS)
    np.testing.assert_array_equal(mask_of(y), WHOLE[missing])
    np.testing.assert_array_equal(to_numpy(y), np.where(GONE, 0, X))
    y = layers.NaNMask(-7.5)(GAPS)
    np.testing.assert_array_equal(to_numpy(y), np.where(GONE, -7.5, X))


def test_indicator() -> None:
    y, missing = layers.NaNMask(return_indicator=True)(GAPS)
    np.testing.assert_array_equal(to_numpy(missing), GONE)
    np.testing.assert_array_equal(to_numpy(y), np.where(GONE, 0, X))
    for z in (y, missing):
        assert keras.backend.standardize_dtype(z.dtype) == "float32"
        np.testing.assert_array_equal(mask_of(z), WHOLE["all"])


@pytest.mark.parametrize("carried", [False, True])
def test_ands_with_a_mask_that_is_there(carried: bool) -> None:
    given = np.random.default_rng(5).random((3, 7)) < 0.5
    if carried:
        y = layers.NaNMask()(layers.AttachMask()(GAPS, mask=given))
    else:
        y = layers.NaNMask()(GAPS, mask=given)
    np.testing.assert_array_equal(mask_of(y), WHOLE["all"] & given)


@pytest.mark.parametrize("missing", ["all", "any"])
def test_one_value_for_each_step(missing: str) -> None:
    y = layers.NaNMask(missing=missing)(GAPS[..., 0])
    np.testing.assert_array_equal(mask_of(y), ~GONE[..., 0])
    frames = layers.NaNMask(missing=missing)(GAPS.reshape(3, 7, 2, 2))
    np.testing.assert_array_equal(mask_of(frames), WHOLE[missing])


def test_integers_and_infinities_are_never_missing() -> None:
    y = layers.NaNMask()(np.arange(42).reshape(2, 7, 3))
    assert mask_of(y).all()
    x = np.full((1, 2, 1), np.inf, "float32")
    y = layers.NaNMask()(x)
    assert mask_of(y).all()
    np.testing.assert_array_equal(to_numpy(y), x)


@pytest.mark.parametrize("compile", [False, True])
def test_gradient(compile: bool) -> None:
    w, layer = sample(seed=6), layers.NaNMask()
    (grad,) = gradient(
        lambda x: ops.sum(ops.multiply(layer(x), w)), GAPS, compile=compile
    )
    np.testing.assert_array_equal(grad, np.where(GONE, 0, w))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_dtypes(dtype: str) -> None:
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless its x64 mode is on")
    if dtype == "float64" and keras.backend.backend() == "numpy":
        pytest.skip("Keras makes float32 of float64 on NumPy")
    y = layers.NaNMask(2.0, dtype=dtype)(GAPS)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    wanted = np.where(
        GONE, 2, to_numpy(ops.cast(ops.cast(X, dtype), "float32"))
    )
    np.testing.assert_array_equal(to_numpy(ops.cast(y, "float32")), wanted)
    np.testing.assert_array_equal(mask_of(y), WHOLE["all"])


def test_in_a_saved_model(tmp_path: Path) -> None:
    x = keras.Input((None, 4))
    y, missing = layers.NaNMask(return_indicator=True, missing="any")(x)
    pooled = layers.MaskedGlobalAveragePooling1D()(y)
    share = layers.MaskedGlobalAveragePooling1D()(missing)
    model = keras.Model(x, [pooled, share, layers.GetMask()(missing)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    wanted = [
        X[row][WHOLE["any"][row]].mean(axis=0)
        if WHOLE["any"][row].any()
        else np.zeros(4)
        for row in range(3)
    ]
    for made in (model, loaded):
        pooled, share, mask = made.predict(GAPS, verbose=0)
        assert_close(pooled, np.array(wanted))
        np.testing.assert_array_equal(share, 0)
        np.testing.assert_array_equal(mask, WHOLE["any"])


def test_keras_masking_of_nan_masks_nothing() -> None:
    theirs = keras.layers.Masking(np.nan)(GAPS)
    assert mask_of(theirs).all()
    assert np.isnan(to_numpy(theirs)).any()
    ours = layers.NaNMask()(GAPS)
    assert not mask_of(ours).all()
    assert np.isfinite(to_numpy(ours)).all()
