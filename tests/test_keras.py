"""Compared with Keras: equal where Keras is right, different where not.

Tests of the second kind pin Keras' output. If one fails on a newer Keras, Keras
has changed, perhaps for the better: check, then update the docs.
"""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import quietly
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample(steps=8)
MASK = np.pad(MASKS["right"], ((0, 0), (0, 1)))


# Where Keras is right: without a mask, the same outputs and weights.


@pytest.mark.parametrize("name", ["Average", "Max"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_pooling_drops_in(name: str, keepdims: bool) -> None:
    theirs = getattr(keras.layers, f"Global{name}Pooling1D")
    ours = getattr(layers, f"MaskedGlobal{name}Pooling1D")
    for arguments in ((), (None, keepdims), ("channels_last", keepdims)):
        assert_close(ours(*arguments)(X), to_numpy(theirs(*arguments)(X)))
    symbolic = keras.Input((None, 4))
    assert ours(None, keepdims)(symbolic).shape == (
        theirs(None, keepdims)(symbolic).shape
    )


CONVOLUTIONS = [
    {"padding": padding, **config}
    for padding in ("valid", "same", "causal")
    for config in (
        {},
        {"strides": 2},
        {"strides": 4},
        {"dilation_rate": 3},
        {"groups": 2},
        {"kernel_size": 4},
        {"kernel_size": 1, "strides": 2},
        {"kernel_size": 2, "strides": 4},
        {"use_bias": False, "activation": "relu"},
    )
]


@pytest.mark.parametrize("config", CONVOLUTIONS, ids=str)
def test_convolution_drops_in(config: dict) -> None:
    config = {"filters": 6, "kernel_size": 3, **config}
    theirs, ours = keras.layers.Conv1D(**config), layers.MaskedConv1D(**config)
    wanted = to_numpy(theirs(X))
    ours(X)
    ours.set_weights(theirs.get_weights())
    assert_close(ours(X), wanted)
    # A row without padding in a masked batch: the same outputs.
    masked = to_numpy(ours(X, mask=np.ones((3, 8), bool)))
    assert_close(masked, wanted)
    theirs.set_weights(ours.get_weights())
    assert ours.compute_output_shape((3, 8, 4)) == wanted.shape
    assert set(theirs.get_config()) <= set(ours.get_config())


DROP_INS = [
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3}),
    (
        "SeparableConv1D",
        {
            "filters": 5,
            "kernel_size": 4,
            "strides": 2,
            "padding": "same",
            "depth_multiplier": 2,
        },
    ),
    ("SeparableConv1D", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}),
    ("DepthwiseConv1D", {"kernel_size": 3}),
    ("DepthwiseConv1D", {"kernel_size": 4, "padding": "same", "strides": 2}),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 3}),
    *(
        (
            "Conv1DTranspose",
            {"filters": 5, "kernel_size": k, "strides": s, "padding": padding},
        )
        for padding in ("valid", "same")
        for k, s in ((3, 1), (3, 2), (4, 2), (2, 3), (5, 2), (1, 1))
    ),
    ("Conv1DTranspose", {"filters": 5, "kernel_size": 3, "dilation_rate": 2}),
    (
        "Conv1DTranspose",
        {"filters": 5, "kernel_size": 3, "strides": 2, "output_padding": 1},
    ),
    (
        "Conv1DTranspose",
        {
            "filters": 5,
            "kernel_size": 3,
            "strides": 2,
            "output_padding": 1,
            "padding": "same",
        },
    ),
    ("AveragePooling1D", {"pool_size": 2}),
    ("AveragePooling1D", {"pool_size": 3, "strides": 1}),
    ("MaxPooling1D", {}),
    ("MaxPooling1D", {"pool_size": 3, "strides": 1, "padding": "same"}),
    ("MaxPooling1D", {"pool_size": 4, "strides": 2, "padding": "same"}),
    ("GroupNormalization", {"groups": 1}),
    ("GroupNormalization", {"groups": 2, "epsilon": 0.1}),
    ("GroupNormalization", {"groups": -1, "center": False}),
    ("GroupNormalization", {"groups": 4, "scale": False}),
    ("Cropping1D", {}),
    ("Cropping1D", {"cropping": (0, 3)}),
    ("Cropping1D", {"cropping": 0}),
    ("ZeroPadding1D", {}),
    ("ZeroPadding1D", {"padding": (0, 3)}),
    ("UpSampling1D", {}),
    ("UpSampling1D", {"size": 3}),
]


@pytest.mark.parametrize("name, config", DROP_INS, ids=str)
def test_drops_in(name: str, config: dict) -> None:
    theirs = getattr(keras.layers, name)(**config)
    ours = getattr(layers, f"Masked{name}")(**config)
    theirs.build(X.shape)
    ours.build(X.shape)
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape) for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(theirs.get_weights())
    try:
        wanted = to_numpy(theirs(X))
    except Exception as error:
        if "do not yet support dilation rates" not in str(error):
            raise
        pytest.skip("TensorFlow dilates no transposed convolution on this CPU")
    assert_close(ours(X), wanted)
    assert_close(ours(X, mask=np.ones((3, 8), bool)), wanted)
    assert tuple(ours.compute_output_shape((3, 8, 4))) == wanted.shape
    symbolic = keras.Input((None, 4))
    assert ours(symbolic).shape == theirs(symbolic).shape
    assert set(theirs.get_config()) <= set(ours.get_config())
    ours.set_weights([w + 1 for w in weights])
    theirs.set_weights(ours.get_weights())
    assert_close(ours(X), to_numpy(theirs(X)))


def test_the_one_exception_strided_same_of_any_length() -> None:
    """Keras' windows shift with the padded length, ours do not."""
    config = {"filters": 5, "kernel_size": 4, "strides": 3, "padding": "same"}
    theirs, ours = keras.layers.Conv1D(**config), layers.MaskedConv1D(**config)
    theirs(X)
    ours(X)
    ours.set_weights(theirs.get_weights())
    longer = np.pad(X, ((0, 0), (0, 1), (0, 0)))  # 9 steps: a multiple of 3
    assert_close(ours(longer), to_numpy(theirs(longer)))
    assert_close(ours(X), to_numpy(theirs(longer)))
    assert np.abs(to_numpy(theirs(X)) - to_numpy(theirs(longer))).max() > 0.1


# Where Keras is wrong.


def keras_call(layer: keras.layers.Layer, x: Any, mask: np.ndarray) -> Any:
    return quietly(layer, layers.AttachMask()(x, mask=mask))


def test_softmax_cannot_take_the_mask_of_a_sequence() -> None:
    logits = layers.AttachMask()(X, mask=MASK)
    # Since 3.14 Keras raises; before, the backend does.
    with pytest.raises(Exception, match=r"mask|[Ii]ncompatible|must match"):
        keras.layers.Softmax(axis=1)(logits)
    weights = to_numpy(layers.TemporalSoftmax()(logits))
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert np.all(weights[~MASK] == 0)


def test_softmax_masks_features_where_the_sizes_agree() -> None:
    x, mask = np.zeros((3, 3, 3), "float32"), np.tri(3, dtype=bool)
    y = to_numpy(
        keras.layers.Softmax(axis=1)(layers.AttachMask()(x, mask=mask))
    )
    # The first feature is normalized over all three steps of row 0, which has
    # one real step only.
    np.testing.assert_allclose(y[0, :, 0], 1 / 3, atol=1e-6)
    ours = layers.TemporalSoftmax()(x, mask=mask)
    assert_close(ours[0, :, 0], [1, 0, 0])


def test_average_pooling_of_an_empty_row_is_nan() -> None:
    mask = MASK.copy()
    mask[1] = False
    theirs = to_numpy(keras.layers.GlobalAveragePooling1D()(X, mask=mask))
    assert np.isnan(theirs[1]).all()
    ours = to_numpy(layers.MaskedGlobalAveragePooling1D()(X, mask=mask))
    assert_close(ours[[0, 2]], theirs[[0, 2]])
    assert np.all(ours[1] == 0)


def test_average_pooling_overflows_in_half_precision() -> None:
    x, mask = np.full((1, 5000, 1), 20.0), np.ones((1, 5000), bool)
    with np.errstate(over="ignore"):
        pool = keras.layers.GlobalAveragePooling1D(dtype="float16")
        theirs = to_numpy(pool(x, mask=mask))
    assert theirs.item() != 20
    pool = layers.MaskedGlobalAveragePooling1D(dtype="float16")
    assert to_numpy(pool(x, mask=mask)).item() == 20


def test_max_pooling_ignores_the_mask() -> None:
    x = -np.abs(X) - 1
    padded = poisoned(x, MASK, 0.0)
    theirs = to_numpy(
        keras_call(keras.layers.GlobalMaxPooling1D(), padded, MASK)
    )
    assert np.all(theirs[1:] == 0)
    ours = to_numpy(layers.MaskedGlobalMaxPooling1D()(padded, mask=MASK))
    wanted = [row[real].max(axis=0) for row, real in zip(x, MASK)]
    np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize("padding", ["same", "valid", "causal"])
def test_convolution_lets_padding_in_and_the_mask_go(padding: str) -> None:
    theirs = keras.layers.Conv1D(4, 3, padding=padding)
    ours = layers.MaskedConv1D(4, 3, padding=padding)
    mask = MASK[:, ::-1] if padding == "causal" else MASK
    zeros, eights = (poisoned(X, mask, v) for v in (0.0, 8.0))
    with pytest.warns(UserWarning, match="destroy the mask"):
        y = theirs(layers.AttachMask()(zeros, mask=mask))
    assert mask_of(y) is None
    ours(X)
    ours.set_weights(theirs.get_weights())
    real = mask_of(ours(zeros, mask=mask))
    drift = np.abs(to_numpy(keras_call(theirs, eights, mask)) - to_numpy(y))
    if padding == "valid":
        assert drift.max() > 1  # and no mask marks the real outputs
    else:
        assert drift[real].max() > 1
    np.testing.assert_array_equal(
        to_numpy(ours(eights, mask=mask)), to_numpy(ours(zeros, mask=mask))
    )


# The layers of the Keras guide as published, shortened.


def test_the_guides_split_needs_an_even_number_of_steps() -> None:
    def split(x: Any) -> Any:
        return keras.ops.split(x, 2, axis=1)

    odd = X[:, :7]
    with pytest.raises(Exception):  # noqa: B017  each backend raises its own
        [to_numpy(piece) for piece in split(odd)]
    first, second = layers.TemporalSplit()(odd, mask=MASK[:, :7])
    np.testing.assert_array_equal(to_numpy(first), odd[:, :4])
    np.testing.assert_array_equal(to_numpy(second), odd[:, 4:])
    np.testing.assert_array_equal(mask_of(first), MASK[:, :4])
    np.testing.assert_array_equal(mask_of(second), MASK[:, 4:7])


def test_the_guides_embedding_flattens() -> None:
    table = np.arange(12, dtype="float32").reshape(4, 3)
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    theirs = keras.ops.take(keras.ops.convert_to_tensor(table), ids)
    assert tuple(theirs.shape) == (2, 3)
    np.testing.assert_array_equal(to_numpy(theirs), ids)  # table.ravel()[ids]
    ours = layers.CustomEmbedding(4, 3, mask_zero=True)
    ours.build()
    ours.set_weights([table])
    np.testing.assert_array_equal(to_numpy(ours(ids)), table[ids])
    np.testing.assert_array_equal(mask_of(ours(ids)), ids != 0)


def test_the_guides_softmax_is_none() -> None:
    def softmax(x: Any, mask: Any) -> Any:
        weights = keras.ops.exp(x) * keras.ops.expand_dims(
            keras.ops.cast(mask, "float32"), -1
        )
        return weights / keras.ops.sum(weights, axis=-1, keepdims=True)

    logits = X[..., :1]
    theirs = to_numpy(softmax(keras.ops.convert_to_tensor(logits), MASK))
    # Divided by itself each step has weight 1, and padding is 0 / 0.
    assert np.all(theirs[MASK] == 1)
    assert np.isnan(theirs[~MASK]).all()
    overflow = to_numpy(
        softmax(keras.ops.convert_to_tensor(logits + 1000), MASK)
    )
    assert np.isnan(overflow).all()
    for shift in (0, 1000):
        ours = to_numpy(layers.TemporalSoftmax()(logits + shift, mask=MASK))
        np.testing.assert_allclose(ours.sum(axis=1), 1, atol=1e-6)
        assert np.all(ours[~MASK] == 0)


def test_softmax_takes_the_mask_of_an_embedding_through_dense() -> None:
    ids = np.array([[3, 1, 0, 0], [2, 0, 0, 0]])
    model = keras.Sequential(
        [
            keras.layers.Embedding(5, 4, mask_zero=True),
            keras.layers.Dense(1),
            layers.TemporalSoftmax(),
        ]
    )
    weights = model.predict(ids, verbose=0)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    assert np.all(weights[ids == 0] == 0)
    more = model.predict(np.pad(ids, ((0, 0), (3, 2))), verbose=0)
    assert_close(more[:, 3:7], weights)
