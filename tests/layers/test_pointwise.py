"""Elementwise layers accept masks of any rank."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking.errors import MaskError
from keras_masking.errors import MaskShapeError
from tests.helpers import compiled
from tests.helpers import mask_of
from tests.helpers import to_numpy

IDS = np.array([[[1, 2], [3, 0]], [[4, 0], [0, 0]]])
REAL = IDS != 0
X = np.arange(24, dtype="float32").reshape(2, 2, 2, 3) - 12
# The output of each for a number, at a real step and at padding.
PASSING = {
    "activation": (layers.MyActivation, lambda x: max(x, 0), None),
    "apply": (lambda: layers.ApplyMask(-1.0), lambda x: x, -1.0),
    "attach": (layers.AttachMask, lambda x: x, None),
    "require": (layers.RequireMask, lambda x: x, None),
}


def spoken(name: str, mask: np.ndarray) -> np.ndarray:
    """A loop over all indices."""
    _, real, padding = PASSING[name]
    out = X.copy()
    for place in np.ndindex(*X.shape):
        there = mask[place[: mask.ndim]]
        out[place] = real(X[place])
        if padding is not None and not there:
            out[place] = padding
    return out


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("axes", [2, 3])
def test_masks_of_segments_or_of_their_steps(name: str, axes: int) -> None:
    """Three axes raised: "`mask` must have shape (batch, steps)"."""
    mask = REAL if axes == 3 else REAL[..., 0]
    layer = PASSING[name][0]()
    for y in (
        layer(X, mask=mask),
        layer(layers.AttachMask()(X, mask=mask)),
    ):
        np.testing.assert_array_equal(to_numpy(y), spoken(name, mask))
        np.testing.assert_array_equal(mask_of(y), mask)


def test_doors_after_ids_of_segments() -> None:
    x = layers.CustomEmbedding(5, 3, mask_zero=True)(IDS)
    dropped = layers.DropMask()(x)
    assert mask_of(dropped) is None
    np.testing.assert_array_equal(to_numpy(dropped), to_numpy(x))
    np.testing.assert_array_equal(to_numpy(layers.GetMask()(x)), REAL)
    alone = layers.GetMask()(dropped)
    np.testing.assert_array_equal(to_numpy(alone), [[True, True]] * 2)
    with pytest.raises(MaskError, match="must carry a mask"):
        layers.RequireMask()(dropped)


def test_a_mask_of_all_axes() -> None:
    """For ids; floats have features, which a mask does not cover."""
    ids = layers.AttachMask()(IDS, mask=REAL)
    np.testing.assert_array_equal(mask_of(ids), REAL)
    np.testing.assert_array_equal(to_numpy(layers.GetMask()(ids)), REAL)
    filled = layers.ApplyMask(9)(IDS, mask=REAL)
    np.testing.assert_array_equal(to_numpy(filled), np.where(REAL, IDS, 9))
    floats = IDS.astype("float32")
    table = layers.CustomEmbedding(5, 3)
    np.testing.assert_array_equal(mask_of(table(floats, mask=REAL)), REAL)
    for layer in (layers.AttachMask(), layers.ApplyMask(), layers.DropMask()):
        with pytest.raises(MaskShapeError, match="no feature axis"):
            layer(floats, mask=REAL)


def test_wrong_masks_still_raise() -> None:
    for layer in (layers.ApplyMask(), layers.MyActivation()):
        for wrong in (REAL[:1], np.ones(2, bool), X > 0):
            with pytest.raises(MaskShapeError, match="`mask` must have shape"):
                layer(X, mask=wrong)


def test_a_model_of_segments(tmp_path: object) -> None:
    """Symbolic shapes, `predict`, and a saved model."""
    ids = keras.Input((None, None), dtype="int32")
    x = layers.CustomEmbedding(5, 3, mask_zero=True)(ids)
    x = layers.RequireMask()(layers.MyActivation("tanh")(x))
    x = layers.ApplyMask(7.0)(x)
    mask = layers.GetMask()(x)
    assert mask.shape == (None, None, None)
    model = keras.Model(ids, [x, mask, layers.DropMask()(x)])
    y, mask, same = model.predict(IDS, verbose=0)
    np.testing.assert_array_equal(mask, REAL)
    assert (y[~REAL] == 7).all() and (np.abs(y[REAL]) < 1).all()
    np.testing.assert_array_equal(y, same)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.predict(IDS, verbose=0)
    np.testing.assert_array_equal(again[1], REAL)
    np.testing.assert_array_equal(again[0], y)


def test_compiled() -> None:
    layer = layers.ApplyMask(-1.0)
    run = compiled(lambda x, mask: layer(x, mask=mask))
    y = run(ops.convert_to_tensor(X), ops.convert_to_tensor(REAL))
    np.testing.assert_array_equal(to_numpy(y), spoken("apply", REAL))
