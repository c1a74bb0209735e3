"""What Keras gets wrong with masks: its drift, and ours.

The drift is how far the output for one sentence moves when four steps of
padding are appended, for plain Keras layers and for our layers with the same
weights. If Keras' numbers change on a newer Keras: check, then update the docs.
"""

import warnings

import keras
import numpy as np
import pytest

from keras_masking import layers
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import quietly
from tests.helpers import sample
from tests.helpers import to_numpy

# Other backends trace or compile each model: there they run with the kit.
pytestmark = [pytest.mark.long] if BACKEND != "torch" else []
IDS = np.array([[1, 2, 3, 4, 5]])
PADDED = np.pad(IDS, ((0, 0), (0, 4)))
X, MASK = sample(), MASKS["right"]


def drift(layer: keras.layers.Layer, pool: keras.layers.Layer) -> float:
    """How far the output moves, with the same weights everywhere."""
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(10, 4, mask_zero=True)(ids)
    model = quietly(lambda: keras.Model(ids, pool(layer(x))))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    short, long = (quietly(model.predict, x, verbose=0) for x in (IDS, PADDED))
    return float(np.abs(short - long).max())


SIZES = {"filters": 3, "kernel_size": 3}
SIZES_ALONE = {"kernel_size": 3, "padding": "same"}
WINDOWS = {"pool_size": 3, "strides": 1, "padding": "same"}
# Layer, arguments, following layers, and Keras' drift.
DRIFTS = [
    ("Conv1D", SIZES | {"padding": "same"}, "average", 1.231),
    ("Conv1D", SIZES | {"padding": "same"}, "LSTM", 0.508),
    ("Conv1D", SIZES, "average", 2.445),
    ("SeparableConv1D", SIZES | {"padding": "same"}, "average", 0.681),
    ("DepthwiseConv1D", SIZES_ALONE, "average", 0.896),
    ("Conv1DTranspose", SIZES | {"strides": 2}, "average", 1.234),
    ("MaxPooling1D", WINDOWS, "average", 0.372),
    ("AveragePooling1D", WINDOWS | {"padding": "valid"}, "average", 0.659),
    ("GroupNormalization", {"groups": 2}, "average", 0.487),
    ("GroupNormalization", {"groups": -1}, "LSTM", 0.126),
    ("UpSampling1D", {"size": 2}, "average", 0.433),
    ("ZeroPadding1D", {"padding": 1}, "LSTM", 0.200),
    ("Cropping1D", {"cropping": (1, 0)}, "average", 0.586),
]


@pytest.mark.parametrize("name, config, behind, wanted", DRIFTS)
def test_more_padding_changes_the_answer_of_keras(
    name: str, config: dict, behind: str, wanted: float
) -> None:
    def pooling() -> keras.layers.Layer:
        if behind == "LSTM":
            return keras.layers.LSTM(3)
        return keras.layers.GlobalAveragePooling1D()

    theirs = drift(getattr(keras.layers, name)(**config), pooling())
    ours = drift(getattr(layers, f"Masked{name}")(**config), pooling())
    assert theirs == pytest.approx(wanted, abs=1e-3)
    assert ours < 1e-6


def test_windowed_maximum_of_negative_values_is_the_padding() -> None:
    x = poisoned(-np.abs(X) - 1, MASK, 0.0)
    how = {"pool_size": 3, "strides": 1, "padding": "same"}
    theirs = to_numpy(keras.layers.MaxPooling1D(**how)(x))
    last = MASK.sum(axis=1) - 1  # the last real step sees the padding after it
    assert np.all(theirs[1:][np.arange(2), last[1:]] == 0)
    ours = to_numpy(layers.MaskedMaxPooling1D(**how)(x, mask=MASK))
    assert np.all(ours[MASK] <= -1)


def test_windowed_average_counts_padding() -> None:
    x = np.ones((1, 5, 1), "float32")
    x[:, 3:] = 0
    mask = np.array([[1, 1, 1, 0, 0]], bool)
    how = {"pool_size": 3, "strides": 1, "padding": "same"}
    theirs = to_numpy(keras.layers.AveragePooling1D(**how)(x)).ravel()
    np.testing.assert_allclose(theirs[2], 2 / 3, rtol=1e-6)
    ours = to_numpy(layers.MaskedAveragePooling1D(**how)(x, mask=mask))
    np.testing.assert_array_equal(ours.ravel(), [1, 1, 1, 0, 0])


def test_windowed_average_of_torch_counts_the_edge_twice() -> None:
    x = np.array([[[1.0], [2.0], [6.0]]], "float32")
    how = {"pool_size": 4, "strides": 1, "padding": "same"}
    theirs = to_numpy(keras.layers.AveragePooling1D(**how)(x)).ravel()
    version = tuple(int(n) for n in keras.version().split(".")[:2])
    twice = BACKEND == "torch" and version < (3, 16)
    first = (1 + 1 + 2 + 6) / 4 if twice else 3
    np.testing.assert_allclose(theirs[0], first, rtol=1e-6)
    ours = to_numpy(layers.MaskedAveragePooling1D(**how)(x)).ravel()
    np.testing.assert_allclose(ours, [3, 3, 4], rtol=1e-6)


@pytest.mark.parametrize(
    "theirs",
    [
        keras.layers.GroupNormalization(1),
        keras.layers.LayerNormalization(axis=[1, 2], epsilon=1e-3),
    ],
    ids=["group", "layer"],
)
def test_normalization_over_steps_counts_padding_without_a_word(
    theirs: keras.layers.Layer,
) -> None:
    """They claim to support masking, and ignore the mask."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zeros, eights = (
            theirs(layers.AttachMask()(poisoned(X, MASK, v), mask=MASK))
            for v in (0.0, 8.0)
        )
    np.testing.assert_array_equal(mask_of(zeros), MASK)
    moved = np.abs(to_numpy(zeros) - to_numpy(eights))[MASK]
    assert moved.max() > 1
    ours = layers.MaskedGroupNormalization(1)
    alone = to_numpy(theirs(X[:1]))  # this row has no padding
    for value in (0.0, 8.0, np.nan):
        y = ours(poisoned(X, MASK, value), mask=MASK)
        assert_close(to_numpy(y)[:1], alone)


@pytest.mark.parametrize(
    "name, config, wanted",
    [
        ("Cropping1D", {"cropping": (2, 1)}, MASK[:, 2:-1]),
        (
            "ZeroPadding1D",
            {"padding": (1, 2)},
            np.pad(MASK, ((0, 0), (1, 2))),
        ),
        ("UpSampling1D", {"size": 2}, MASK.repeat(2, axis=1)),
    ],
)
def test_reshaping_drops_the_mask(
    name: str, config: dict, wanted: np.ndarray
) -> None:
    x = layers.AttachMask()(X, mask=MASK)
    theirs = quietly(getattr(keras.layers, name)(**config), x)
    assert mask_of(theirs) is None
    ours = getattr(layers, f"Masked{name}")(**config)(x)
    np.testing.assert_array_equal(mask_of(ours), wanted)
    np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


def test_concatenation_leaves_padding_between() -> None:
    """The mask is right, and the next convolution reads zeros there."""
    x = layers.AttachMask()(X, mask=MASK)
    theirs = keras.layers.Concatenate(axis=1)([x, x])
    assert mask_of(theirs)[2].astype(int).tolist() == [1, *[0] * 6] * 2
    ours = layers.TemporalConcatenate()([x, x])
    assert mask_of(ours)[2].astype(int).tolist() == [1, 1, *[0] * 12]
    np.testing.assert_array_equal(to_numpy(ours)[2, 1], X[2, 0])


def test_masking_forgets_the_mask_that_was_there() -> None:
    x = layers.AttachMask()(X, mask=MASK)
    assert mask_of(keras.layers.Masking(-99.0)(x)).all()
    np.testing.assert_array_equal(mask_of(layers.NaNMask()(x)), MASK)
