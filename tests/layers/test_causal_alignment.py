"""Causal attention of queries that are the last steps of a longer sequence.

With `causal_alignment="end"` the last real query is aligned with the last real
key. Which keys a query sees is a loop over real steps here.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import to_numpy
from tests.layers.test_attention import KINDS
from tests.layers.test_attention import SEVERAL
from tests.layers.test_attention import ask
from tests.layers.test_attention import expected
from tests.layers.test_attention import make

QUERY, VALUE, KEY = sample(3, seed=1), sample(7, seed=2), sample(7, seed=3)
ASKS = {
    "right": ["111", "110", "100"],
    "left": ["011", "001", "111"],
    "holes": ["101", "011", "110"],
    "empty": ["110", "111", "000"],
}
ASKS = {
    name: np.array([[c == "1" for c in row] for row in rows])
    for name, rows in ASKS.items()
}
PAIRS = {
    **{name: (ASKS[name], MASKS[name]) for name in ASKS},
    "other-sides": (ASKS["left"], MASKS["right"]),
    "queries": (ASKS["holes"], None),
    "keys": (None, MASKS["holes"]),
    "none": (None, None),
}


def full(mask: np.ndarray | None, x: np.ndarray) -> np.ndarray:
    return np.ones(x.shape[:2], bool) if mask is None else mask


def seen(
    asks: np.ndarray, real: np.ndarray, width: int | None = None
) -> np.ndarray:
    """Which keys each query sees, with the last real two aligned."""
    sees = np.zeros((*asks.shape, real.shape[1]), bool)
    for row in range(len(asks)):
        queries = [t for t, there in enumerate(asks[row]) if there]
        keys = [s for s, there in enumerate(real[row]) if there]
        for later, t in enumerate(reversed(queries)):
            for ago, s in enumerate(reversed(keys)):
                near = width is None or ago - later < width
                sees[row, t, s] = ago >= later and near
    return sees


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_oracle(kind: str, name: str) -> None:
    """With "start" query 0 of 3 sees only key 0 of 7; now keys 0 to 4."""
    layer, (asks, real) = make(kind, causal_alignment="end"), PAIRS[name]
    inputs, masks = [QUERY, VALUE, KEY], [asks, real, None]
    padded = [
        x if m is None else poisoned(x, m, np.nan)
        for x, m in zip(inputs, (asks, real, real))
    ]
    asked, there = full(asks, QUERY), full(real, VALUE)
    sees = seen(asked, there)
    outputs, scores = expected(kind, layer.get_weights(), inputs, asked, sees)
    how: dict[str, Any] = {"use_causal_mask": True}
    got = ask(kind, layer, padded, masks, return_attention_scores=True, **how)
    assert_close(got[0], outputs)
    assert_close(got[1], scores)
    y = ask(kind, layer, padded, masks, **how)  # fused where Keras can
    assert_close(y, outputs)
    if asks is None:
        assert mask_of(y) is None
    else:
        np.testing.assert_array_equal(mask_of(y), asks)
    if name == "none":
        np.testing.assert_array_equal(sees[0].sum(1), [5, 6, 7])


@pytest.mark.parametrize("kind", SEVERAL)
def test_a_sliding_window_ends_with_the_keys_as_well(kind: str) -> None:
    if "sliding_window" not in make(kind, ours=False).get_config():
        return  # not in this Keras: `test_attention` pins the error
    layer = make(kind, sliding_window=2, causal_alignment="end")
    assert layer.get_config()["sliding_window"] == 2
    for name in ("holes", "none"):
        asks, real = PAIRS[name]
        inputs, masks = [QUERY, VALUE, KEY], [asks, real, None]
        asked, there = full(asks, QUERY), full(real, VALUE)
        sees = seen(asked, there, width=2)
        w = layer.get_weights()
        outputs, scores = expected(kind, w, inputs, asked, sees)
        got = ask(
            kind,
            layer,
            inputs,
            masks,
            return_attention_scores=True,
            use_causal_mask=True,
        )
        assert_close(got[0], outputs)
        assert_close(got[1], scores)
    # Not causal: the same width on the other side. Query 1 of 3 is key 5 of 7.
    _, scores = ask(kind, layer, inputs, None, return_attention_scores=True)
    near = [[0, 0, 0, 1, 1, 1, 0], [0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1, 1]]
    np.testing.assert_array_equal(to_numpy(scores)[0, 0] > 0, near)


@pytest.mark.parametrize("kind", ["heads", "dot"])
def test_a_step_with_a_cache_is_a_step_of_the_whole(kind: str) -> None:
    """As in a decoder: all steps at once, or each with the steps before it."""
    layer = make(kind, causal_alignment="end")
    x = VALUE
    whole = to_numpy(ask(kind, layer, [x, x], None, use_causal_mask=True))
    from_start = make(kind)
    same = ask(kind, from_start, [x, x], None, use_causal_mask=True)
    assert_close(whole, to_numpy(same))
    for last in (1, 3):
        inputs = [x[:, -last:], x]
        y = ask(kind, layer, inputs, None, use_causal_mask=True)
        assert_close(y, whole[:, -last:])
        other = ask(kind, from_start, inputs, None, use_causal_mask=True)
        assert np.abs(to_numpy(other) - whole[:, -last:]).max() > 0.1


@pytest.mark.parametrize("kind", ["groups", "additive"])
def test_alone_equals_batched(kind: str) -> None:
    layer = make(kind, causal_alignment="end")
    for name in ("right", "left", "holes"):
        asks, real = PAIRS[name]
        y = to_numpy(
            ask(kind, layer, [QUERY, VALUE], [asks, real], use_causal_mask=True)
        )
        lone = [QUERY[:1, asks[0]], VALUE[:1, real[0]]]
        alone = ask(kind, layer, lone, None, use_causal_mask=True)
        assert_close(y[:1, asks[0]], to_numpy(alone))


def test_more_queries_than_keys() -> None:
    layer = make("heads", causal_alignment="end")
    y, scores = layer(
        VALUE, QUERY, use_causal_mask=True, return_attention_scores=True
    )
    assert np.all(to_numpy(y)[:, :4] == 0) and np.all(to_numpy(y)[:, 4:] != 0)
    counts = (to_numpy(scores)[0, 0] > 0).sum(axis=-1)
    np.testing.assert_array_equal(counts, [0, 0, 0, 0, 1, 2, 3])


def test_gradients() -> None:
    layer = make("dot", causal_alignment="end")
    w, (asks, real) = sample(3, seed=9), PAIRS["holes"]

    def loss(query: Any, value: Any) -> Any:
        y = layer([query, value], mask=[asks, real], use_causal_mask=True)
        return ops.sum(ops.multiply(y, w))

    clean = gradient(loss, QUERY, VALUE)
    dirty = gradient(
        loss, poisoned(QUERY, asks, np.nan), poisoned(VALUE, real, np.nan)
    )
    for got, wanted, mask in zip(dirty, clean, (asks, real)):
        assert_close(got, wanted)
        assert np.all(got[~mask] == 0)
    sees = seen(asks, real)
    # Keys that no query sees get no gradient, others do.
    np.testing.assert_array_equal(
        np.abs(clean[1]).max(axis=-1) > 0, sees.any(axis=1)
    )


def test_compiled() -> None:
    layer, (asks, real) = make("dot", causal_alignment="end"), PAIRS["left"]
    run = compiled(
        lambda q, v, a, r: layer([q, v], mask=[a, r], use_causal_mask=True)
    )
    y = run(*map(ops.convert_to_tensor, (QUERY, VALUE, asks, real)))
    wanted = ask(
        "dot", layer, [QUERY, VALUE], [asks, real], use_causal_mask=True
    )
    assert_close(y, to_numpy(wanted))


def test_saved_and_loaded_with_unknown_sizes(tmp_path: Path) -> None:
    inputs = [keras.Input((None, 4)), keras.Input((None, 4))]
    masks = [keras.Input((None,), dtype="bool") for _ in inputs]
    attach = layers.AttachMask()
    query, value = (attach(x, mask=m) for x, m in zip(inputs, masks))
    layer = make("heads", causal_alignment="end")
    outputs = [
        layer(query, value, use_causal_mask=True),
        layer(*inputs, use_causal_mask=True),  # without masks
    ]
    model = keras.Model([*inputs, *masks], outputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    asks, real = PAIRS["holes"]
    w, ones = layer.get_weights(), (full(None, QUERY), full(None, VALUE))
    x = [QUERY, VALUE, VALUE]
    wanted = [
        expected("heads", w, x, m[0], seen(*m))[0] for m in ((asks, real), ones)
    ]
    for made in (model, loaded):
        got = made.predict([QUERY, VALUE, asks, real], verbose=0)
        assert_close(got[0], wanted[0])
        assert_close(got[1], wanted[1])


def test_configs() -> None:
    """A layer saved before `causal_alignment` existed has "start"."""
    config = make("heads").get_config()
    assert config.pop("causal_alignment") == "start"
    made = layers.MaskedMultiHeadAttention.from_config(config)
    assert made.causal_alignment == "start"
    for kind in KINDS:
        layer = make(kind, causal_alignment="end")
        clone = type(layer).from_config(layer.get_config())
        assert clone.causal_alignment == "end"


def test_errors() -> None:
    with pytest.raises(ValueError, match="must be 'start' or 'end'"):
        make("dot", causal_alignment="bottom_right")
    layer = make("heads", causal_alignment="end")
    heads = np.ones((3, 2, 3, 7), bool)
    with pytest.raises(ValueError, match="one `attention_mask` for all heads"):
        layer(QUERY, VALUE, attention_mask=heads, use_causal_mask=True)
    layer(QUERY, VALUE, attention_mask=heads)  # not causal: nothing to align
