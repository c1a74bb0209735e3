"""RepeatVectorLike: a vector for each real step of another tensor."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking.errors import MaskShapeError
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample()
VECTORS = np.random.default_rng(5).normal(size=(len(X), 3)).astype("float32")
IDS = X[..., 0].astype("int32")


def repeated(vectors: np.ndarray, mask: np.ndarray) -> list:
    """In plain loops."""
    nothing = np.zeros_like(vectors[0]).tolist()
    return [
        [vector if real else nothing for real in row]
        for vector, row in zip(vectors.tolist(), mask.tolist())
    ]


@pytest.mark.parametrize("kind", MASKS)
def test_any_mask(kind: str) -> None:
    mask = MASKS[kind]
    layer = layers.RepeatVectorLike()
    masked = layers.AttachMask()(np.full_like(X, np.nan), mask=mask)
    for y in (
        layer([VECTORS, masked]),
        layer([VECTORS, X], mask=mask),
        layer([VECTORS, IDS], mask=[None, mask]),
        layer([VECTORS, masked], mask=[None, None]),
    ):
        assert_close(y, repeated(VECTORS, mask))
        np.testing.assert_array_equal(mask_of(y), mask)


def test_no_mask() -> None:
    y = layers.RepeatVectorLike()([VECTORS, X])
    assert_close(y, repeated(VECTORS, np.ones(X.shape[:2], bool)))
    assert mask_of(y) is None


@pytest.mark.parametrize("shape", [(), (3, 2)])
def test_vectors_of_other_ranks(shape: tuple) -> None:
    mask = MASKS["right"]
    vectors = np.random.default_rng(6).normal(size=(len(X), *shape))
    vectors = vectors.astype("float32")
    y = layers.RepeatVectorLike()([vectors, X], mask=mask)
    assert_close(y, repeated(vectors, mask))


def test_a_mask_of_the_vector_is_not_looked_at() -> None:
    mask = MASKS["right"]
    square = X[:, :, 0]
    vector = layers.AttachMask()(square, mask=MASKS["left"])
    y = layers.RepeatVectorLike()([vector, X], mask=None)
    assert mask_of(y) is None
    y = layers.RepeatVectorLike()([vector, layers.AttachMask()(X, mask=mask)])
    assert_close(y, repeated(square, mask))


def test_gradient_of_the_vector() -> None:
    """Padding steps add nothing to the gradient."""
    mask = MASKS["holes"]
    weights = np.random.default_rng(7).normal(size=(*X.shape[:2], 3))
    weights = weights.astype("float32")
    layer = layers.RepeatVectorLike()
    (got,) = gradient(
        lambda v: ops.sum(ops.multiply(layer([v, X], mask=mask), weights)),
        VECTORS,
    )
    for row, real in enumerate(mask):
        assert_close(got[row], [sum(w[real]) for w in weights[row].T])


def autoencoder(repeat: Any) -> keras.Model:
    """The mean of a row is predicted for each of its steps."""
    x = keras.Input((None, 1))
    masked = keras.layers.Masking()(x)
    mean = layers.MaskedGlobalAveragePooling1D()(masked)
    model = keras.Model(x, repeat(mean, masked))
    model.compile(loss="mae")
    return model


def test_the_loss_of_an_autoencoder(tmp_path: Path) -> None:
    """1.75 with `RepeatVector`, which counts 3 padding steps as 2, 2 and 4."""
    rows = [[1.0, 3.0], [2.0, 4.0, 6.0]]
    errors = [abs(v - sum(row) / len(row)) for row in rows for v in row]
    right = sum(errors) / len(errors)
    assert right == 6 / 5
    x = np.zeros((2, 4, 1), "float32")
    for i, row in enumerate(rows):
        x[i, : len(row), 0] = row
    more = np.pad(x, ((0, 0), (0, 2), (0, 0)))
    theirs = autoencoder(lambda v, _: keras.layers.RepeatVector(4)(v))
    assert_close(theirs.evaluate(x, x, verbose=0), (6 + 2 + 2 + 4) / 8)
    ours = autoencoder(lambda v, s: layers.RepeatVectorLike()([v, s]))
    ours.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for model in (ours, loaded):
        for given in (x, more):
            assert_close(model.evaluate(given, given, verbose=0), right)


def test_what_is_refused() -> None:
    layer = layers.RepeatVectorLike(name="repeat")
    for inputs in (
        X,
        [VECTORS],
        [VECTORS, X, X],
        [VECTORS[:1], X],
        [VECTORS, VECTORS[:, 0]],
    ):
        with pytest.raises(ValueError, match=r"'repeat'.*RepeatVectorLike\(\)"):
            layer(inputs)
    with pytest.raises(MaskShapeError, match=r"batch, steps"):
        layer([VECTORS, X], mask=MASKS["right"][:, :2])


def test_nothing_at_all() -> None:
    for rows, steps in ((0, 3), (2, 0)):
        x, mask = np.zeros((rows, steps, 4)), np.ones((rows, steps), bool)
        y = layers.RepeatVectorLike()([np.zeros((rows, 3)), x], mask=mask)
        assert to_numpy(y).shape == (rows, steps, 3)
