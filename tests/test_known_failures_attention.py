"""What Keras' attention gets wrong with masks: its number, and ours.

If Keras' numbers change on a newer Keras: check, then update the docs.
"""

from typing import Any

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
NIGHTLY = tuple(map(int, keras.version().split(".")[:2])) >= (3, 16)
IDS = np.array([[1, 2, 3, 4, 5]])
PADDED = np.pad(IDS, ((0, 0), (0, 4)))
X, MASK = sample(), MASKS["right"]
SIZES = {
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 4},
    "GroupQueryAttention": {
        "head_dim": 4,
        "num_query_heads": 2,
        "num_key_value_heads": 1,
    },
}


def attach(x: np.ndarray = X, mask: np.ndarray = MASK) -> Any:
    return layers.AttachMask()(x, mask=mask)


def theirs(name: str = "MultiHeadAttention", **kwargs: Any) -> Any:
    return getattr(keras.layers, name)(**SIZES[name], **kwargs)


def ours(name: str = "MultiHeadAttention", **kwargs: Any) -> Any:
    return getattr(layers, f"Masked{name}")(**SIZES[name], **kwargs)


def drift(body: Any, subclassed: bool = False) -> float:
    """How far the output moves when padding is appended; same weights."""
    ids = keras.Input((None,), dtype="int32")
    embedding = keras.layers.Embedding(10, 4, mask_zero=True)
    pool = keras.layers.GlobalAveragePooling1D()
    model = quietly(lambda: keras.Model(ids, pool(body(embedding(ids)))))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    if subclassed:
        return moved(lambda ids: pool(body(embedding(ids))))
    return moved(model)


def moved(model: Any) -> float:
    short, long = (to_numpy(quietly(model, ids)) for ids in (IDS, PADDED))
    return float(np.abs(short - long).max())


def blocks(attention: Any, add: Any, count: int) -> Any:
    """Encoder blocks with the normalization after the sum."""
    made = [
        (attention(), add(), keras.layers.LayerNormalization())
        for _ in range(count)
    ]

    def body(x: Any) -> Any:
        for attend, plus, norm in made:
            x = norm(plus([x, attend(x, x)]))
        return x

    return body


def test_the_mask_of_the_caller_is_deleted() -> None:
    x = attach()
    theirs()(x, x)
    assert mask_of(x) is None
    x = attach()
    y = ours()(x, x)
    np.testing.assert_array_equal(mask_of(x), MASK)
    np.testing.assert_array_equal(mask_of(y), MASK)


@pytest.mark.parametrize(
    "count, subclassed, wanted",
    [(1, True, 0.151), (2, False, 0.019 if NIGHTLY else 0.082)],
)
def test_post_norm_blocks_look_at_padding(
    count: int, subclassed: bool, wanted: float
) -> None:
    wrong = drift(blocks(theirs, keras.layers.Add, count), subclassed)
    right = drift(blocks(ours, layers.MaskedAdd, count), subclassed)
    assert wrong == pytest.approx(wanted, abs=1e-3)
    assert right < 1e-6


@pytest.mark.parametrize(
    "name, wanted",
    [("MultiHeadAttention", 0.151), ("GroupQueryAttention", 0.548)],
)
def test_a_sum_by_an_operator(name: str, wanted: float) -> None:
    """It does not warn; `MaskedAdd` replaces it."""
    add, attend = layers.MaskedAdd(), ours(name)
    attention, norm = theirs(name), keras.layers.LayerNormalization()
    right = drift(lambda x: norm(add([x, attend(x, x)])))
    wrong = drift(lambda x: norm(x + attention(x, x)))
    assert wrong == pytest.approx(wanted, abs=1e-3)
    assert right < 1e-6


def test_token_and_position_embeddings() -> None:
    """The textbook's transformer: `Add` of tokens and positions."""
    table = keras.layers.Embedding(9, 4)
    attention, plus = theirs(), keras.layers.Add()

    def textbook(x: Any) -> Any:
        y = plus([x, table(keras.ops.cumsum(0 * x[..., 0] + 1, axis=1) - 1)])
        return attention(y, y)

    places = layers.MaskedPositionEmbedding(9)
    add, attend = layers.MaskedAdd(), ours()

    def right(x: Any) -> Any:
        y = add([x, places(x)])
        return attend(y, y)

    wrong = drift(textbook)
    assert wrong == pytest.approx(1.688, abs=1e-3)
    assert drift(right) < 1e-6


def test_an_explicit_mask_of_the_query_is_overlooked() -> None:
    layer, mine = theirs(), ours()
    plain = to_numpy(layer(X, X))
    masked = layer(X, X, query_mask=MASK)
    np.testing.assert_array_equal(to_numpy(masked), plain)
    assert mask_of(masked) is None
    groups = theirs("GroupQueryAttention")
    assert mask_of(quietly(groups, X, X, query_mask=MASK)) is None
    for layer in (mine, ours("GroupQueryAttention")):
        y = layer(X, X, query_mask=MASK)
        np.testing.assert_array_equal(mask_of(y), MASK)
        assert np.all(to_numpy(y)[~MASK] == 0)


@pytest.mark.parametrize("name", SIZES)
def test_nan_at_padding_spreads(name: str) -> None:
    x = attach(poisoned(X, MASK, np.nan))
    y = to_numpy(quietly(theirs(name), x, x))
    assert np.isnan(y[1:][MASK[1:]]).all()
    x = attach(poisoned(X, MASK, np.nan))
    assert np.isfinite(to_numpy(ours(name)(x, x))).all()


@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
def test_nan_at_padding_spreads_without_heads(name: str) -> None:
    x = attach(poisoned(X, MASK, np.nan))
    y = to_numpy(getattr(keras.layers, name)()([x, x]))
    assert np.isnan(y[1:][MASK[1:]]).all()
    y = to_numpy(getattr(layers, f"Masked{name}")()([x, x]))
    assert np.isfinite(y).all()


def test_a_query_that_sees_nothing() -> None:
    """One path of Keras gives a mean of padding, another the output's bias."""
    nothing = np.zeros((3, 7), bool)
    layer, mine = theirs(), ours()
    for each in (layer, mine):
        each.build(X.shape, X.shape)
        shapes = [w.shape for w in each.get_weights()]
        each.set_weights([np.ones(shape, "float32") for shape in shapes])
    fused = to_numpy(layer(X, X, value_mask=nothing))
    slow, _ = layer(X, X, value_mask=nothing, return_attention_scores=True)
    assert np.abs(fused - to_numpy(slow)).max() > 1
    for scores in (False, True):
        y = mine(X, X, value_mask=nothing, return_attention_scores=scores)
        for z in keras.tree.flatten(y):
            assert np.all(to_numpy(z) == 0)
    if BACKEND == "torch" and not NIGHTLY:
        y = keras.layers.Attention(dtype="float16")([X, X], [None, nothing])
        assert np.isnan(to_numpy(y)).all()
    y = layers.MaskedAttention(dtype="float16")([X, X], [None, nothing])
    assert np.all(to_numpy(y) == 0)


def test_the_mask_of_the_key_is_not_looked_at() -> None:
    masks, y = [None, None, MASK], poisoned(X, MASK, 8.0)
    layer, mine = keras.layers.Attention(), layers.MaskedAttention()
    one, other = (to_numpy(layer([X, X, k], masks)) for k in (X, y))
    assert np.abs(one - other).max() > 0.1
    assert_close(mine([X, X, y], masks), to_numpy(mine([X, X, X], masks)))


def test_the_symbolic_shape_of_cross_attention_scores() -> None:
    query, value = keras.Input((7, 4)), keras.Input((5, 4))
    how = {"return_attention_scores": True}
    assert theirs()(query, value, **how)[1].shape == (None, 2, 7, 7)
    assert ours()(query, value, **how)[1].shape == (None, 2, 7, 5)
