"""Attention: only real queries attend, and only to real keys."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking._keras import get_mask
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import at_once
from tests.helpers import compiled
from tests.helpers import gradients_of
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import spread
from tests.helpers import to_numpy

QUERY, VALUE, KEY = sample(seed=1), sample(5, seed=2), sample(5, seed=3)
ASKS = MASKS["holes"]
SOURCE = np.array([[1, 1, 0, 1, 0], [0, 0, 1, 1, 1], [0] * 5], bool)
KEYS = np.array([[1, 0, 1, 1, 1], [1] * 5, [1] * 5], bool)
ALLOWED = np.random.default_rng(4).random((3, 7, 5)) < 0.6

# Kind: layer, arguments, and whether its inputs are a list.
KINDS: dict[str, tuple[str, dict, bool]] = {
    "heads": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, False),
    "heads-dropout": (
        "MultiHeadAttention",
        {"num_heads": 2, "key_dim": 3, "value_dim": 2, "dropout": 0.5},
        False,
    ),
    "groups": (
        "GroupQueryAttention",
        {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
        False,
    ),
    "dot": ("Attention", {"use_scale": True}, True),
    "concat": ("Attention", {"score_mode": "concat"}, True),
    "additive": ("AdditiveAttention", {}, True),
}
SEVERAL = [kind for kind, (_, _, listed) in KINDS.items() if not listed]


def make(kind: str, ours: bool = True, **kwargs: Any) -> keras.layers.Layer:
    """The layer, or Keras' layer, with weights that no backend generated."""
    name, config, listed = KINDS[kind]
    made = getattr(layers if ours else keras.layers, ours * "Masked" + name)
    layer = made(**config, **kwargs)
    shapes = [(None, None, 4)] * 3
    layer.build(shapes) if listed else layer.build(*shapes)
    rng = np.random.default_rng(7)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer


@pytest.mark.parametrize("masked", [False, True])
def test_values_of_another_size(masked: bool) -> None:
    """JAX' fused kernel fails for them; elsewhere it is not Keras' formula."""
    layer = layers.MaskedMultiHeadAttention(2, 3, value_dim=2)
    how = {"query_mask": ASKS, "value_mask": SOURCE} if masked else {}
    wanted, _ = layer(QUERY, VALUE, return_attention_scores=True, **how)
    wanted = to_numpy(wanted)
    assert np.abs(wanted).max() > 0.01
    assert_close(layer(QUERY, VALUE, **how), wanted)


def ask(
    kind: str, layer: Any, inputs: list, masks: list | None, **how: Any
) -> Any:
    """Calls the layer, with a list or with arguments."""
    if KINDS[kind][2]:
        return layer(inputs, mask=masks, **how)
    names = ("query_mask", "value_mask", "key_mask")
    return layer(*inputs, **dict(zip(names, masks or ())), **how)


def dot(x: list, y: list) -> float:
    return math.fsum(a * b for a, b in zip(x, y))


def project(step: list, kernel: np.ndarray, bias: np.ndarray) -> list:
    """A vector for each head."""
    return [
        [
            dot(step, kernel[:, h, i].tolist()) + float(bias[h, i])
            for i in range(kernel.shape[2])
        ]
        for h in range(kernel.shape[1])
    ]


def attend(scores: list, values: list) -> tuple[list, list]:
    """Weights of the scores, and the mean of the values."""
    top = max(scores)
    shares = [math.exp(s - top) for s in scores]
    shares = [share / math.fsum(shares) for share in shares]
    return shares, [dot(shares, list(column)) for column in zip(*values)]


def answer(kind: str, weights: list, query: list, seen: list) -> tuple:
    """One query step: weights for each head, and the output.

    `seen` holds `(value, key)` of the source steps that it may see.
    """
    if KINDS[kind][2]:
        scale = weights[-1] if kind == "additive" else weights[0]
        if kind == "dot":
            scores = [float(scale) * dot(query, key) for _, key in seen]
        else:
            each = np.broadcast_to(scale, 4)
            scores = [
                math.fsum(
                    float(w) * math.tanh(q + k)
                    for w, q, k in zip(each, query, key)
                )
                for _, key in seen
            ]
        shares, output = attend(scores, [value for value, _ in seen])
        return [shares], output
    wq, bq, wk, bk, wv, bv, wo, bo = weights
    queries = project(query, wq, bq)
    together, shared = [], len(queries) // wk.shape[1]
    shares = []
    for head, q in enumerate(queries):
        keys = [project(k, wk, bk)[head // shared] for _, k in seen]
        values = [project(v, wv, bv)[head // shared] for v, _ in seen]
        scores = [dot(q, k) / math.sqrt(len(q)) for k in keys]
        one, output = attend(scores, values)
        shares.append(one)
        together += output
    flat = wo.reshape(-1, wo.shape[-1])
    return shares, [
        dot(together, flat[:, i].tolist()) + float(bo[i]) for i in range(4)
    ]


def expected(
    kind: str,
    weights: list,
    inputs: list[np.ndarray],
    asks: np.ndarray,
    sees: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and scores; `sees` is `(row, query, source)`."""
    query, value, key = (x.tolist() for x in inputs)
    outputs = np.zeros(inputs[0].shape)
    heads = {"groups": 4}.get(kind, 1 if KINDS[kind][2] else 2)
    steps, sources = sees.shape[1:]
    scores = np.zeros((3, heads, steps, sources))
    for row in range(3):
        for step in range(steps):
            visible = [s for s in range(sources) if sees[row, step, s]]
            if not asks[row, step] or not visible:
                continue
            seen = [(value[row][s], key[row][s]) for s in visible]
            shares, output = answer(kind, weights, query[row][step], seen)
            outputs[row, step] = output
            scores[row, :, step, visible] = np.transpose(shares)
    return outputs, scores[:, 0] if KINDS[kind][2] else scores


@pytest.mark.parametrize("value", [np.nan, 3e4], ids=["nan", "large"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_oracle(kind: str, causal: bool, value: float) -> None:
    layer = make(kind)
    inputs = [
        poisoned(x, m, value)
        for x, m in zip((QUERY, VALUE, KEY), (ASKS, SOURCE, KEYS))
    ]
    masks = [ASKS, SOURCE, KEYS]
    sees = np.repeat((SOURCE & KEYS)[:, None], 7, axis=1)
    how = {"use_causal_mask": causal}
    if causal:
        sees = sees & (np.arange(7)[:, None] >= np.arange(5))
        if kind in SEVERAL:
            how["attention_mask"], sees = ALLOWED, sees & ALLOWED
    real = [QUERY, VALUE, KEY]
    outputs, scores = expected(kind, layer.get_weights(), real, ASKS, sees)
    got = ask(kind, layer, inputs, masks, return_attention_scores=True, **how)
    assert_close(got[0], outputs)
    assert_close(got[1], scores)
    np.testing.assert_array_equal(mask_of(got[0]), ASKS)
    assert mask_of(got[1]) is None
    y = ask(kind, layer, inputs, masks, **how)  # fused where Keras can
    assert_close(y, outputs)
    np.testing.assert_array_equal(mask_of(y), ASKS)
    carried = [layers.AttachMask()(x, mask=m) for x, m in zip(inputs, masks)]
    again = ask(kind, layer, carried, None, **how)
    np.testing.assert_array_equal(to_numpy(again), to_numpy(y))
    np.testing.assert_array_equal(mask_of(again), ASKS)
    for x, m in zip(carried, masks):
        np.testing.assert_array_equal(mask_of(x), m)


@pytest.mark.parametrize("kind", KINDS)
def test_the_masks_are_each_their_own(kind: str) -> None:
    """Only a query mask, only a value mask, and no key."""
    layer, w = make(kind), make(kind).get_weights()
    for asks, source in ((ASKS, None), (None, SOURCE), (ASKS, SOURCE)):
        y = ask(kind, layer, [QUERY, VALUE], [asks, source])
        real = np.ones((3, 7), bool) if asks is None else asks
        keys = np.ones((3, 5), bool) if source is None else source
        sees = np.repeat(keys[:, None], 7, axis=1)
        inputs = [QUERY, VALUE, VALUE]
        assert_close(y, expected(kind, w, inputs, real, sees)[0])
        if asks is None:
            assert mask_of(y) is None
        else:
            np.testing.assert_array_equal(mask_of(y), asks)


@pytest.mark.parametrize("kind", KINDS)
def test_drops_in(kind: str) -> None:
    ours, theirs = make(kind), make(kind, ours=False)
    for causal in (False, True):
        for inputs in ([QUERY, VALUE], [QUERY, VALUE, KEY], [QUERY, QUERY]):
            how = {"use_causal_mask": causal}
            wanted = ask(kind, theirs, inputs, None, **how)
            y = ask(kind, ours, inputs, None, **how)
            assert_close(y, to_numpy(wanted))
            assert mask_of(y) is None
            scored = ask(
                kind, ours, inputs, None, return_attention_scores=True, **how
            )
            wanted = ask(
                kind, theirs, inputs, None, return_attention_scores=True, **how
            )
            for a, b in zip(scored, wanted, strict=True):
                assert_close(a, to_numpy(b))
    theirs.set_weights(ours.get_weights())
    ours.set_weights(theirs.get_weights())
    assert set(ours.get_config()) - set(theirs.get_config()) == {
        "causal_alignment",
        "packed",
    }
    assert set(theirs.get_config()) <= set(ours.get_config())
    clone = type(ours).from_config(ours.get_config())
    assert clone.get_config() == ours.get_config()


def test_a_mask_for_each_head_and_more_axes_are_left_to_keras() -> None:
    ours, theirs = make("heads"), make("heads", ours=False)
    heads = np.random.default_rng(5).random((3, 2, 7, 5)) < 0.7
    how = {"attention_mask": heads | np.eye(7, 5, dtype=bool)}
    y = ours(QUERY, VALUE, **how, return_attention_scores=True)
    z = theirs(QUERY, VALUE, **how, return_attention_scores=True)
    for a, b in zip(y, z, strict=True):
        assert_close(a, to_numpy(b))


@pytest.mark.parametrize("kind", ["groups", "dot"])
def test_masks_of_any_dtype(kind: str) -> None:
    layer, inputs = make(kind), [QUERY, VALUE]
    y = to_numpy(ask(kind, layer, inputs, [ASKS, SOURCE]))
    for dtype in ("int32", "float32", "uint8"):
        masks = [ASKS.astype(dtype), SOURCE.astype(dtype)]
        np.testing.assert_array_equal(
            to_numpy(ask(kind, layer, inputs, masks)), y
        )
    lists = [ASKS.tolist(), SOURCE.tolist()]
    np.testing.assert_array_equal(to_numpy(ask(kind, layer, inputs, lists)), y)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind: str) -> None:
    """Gradients of inputs, and of weights with NaN padding."""
    layer = make(kind)
    w = sample(seed=9)

    def loss(*tensors: Any) -> Any:
        inputs, values = list(tensors[:3]), list(tensors[3:])
        masks = [ASKS, SOURCE, KEYS]
        names = ("query_mask", "value_mask", "key_mask")
        state = [v.value for v in layer.non_trainable_variables]
        if KINDS[kind][2]:
            y, _ = layer.stateless_call(values, state, inputs, mask=masks)
        else:
            explicit = dict(zip(names, masks))
            y, _ = layer.stateless_call(values, state, *inputs, **explicit)
        return ops.sum(ops.multiply(y, w))

    gradients = gradients_of(loss, compile=BACKEND == "jax")

    def grads(value: float) -> list:
        pairs = zip((QUERY, VALUE, KEY), (ASKS, SOURCE, KEYS))
        inputs = [poisoned(x, m, value) for x, m in pairs]
        values = [to_numpy(v.value) for v in layer.trainable_variables]
        return gradients(*inputs, *values)

    clean = grads(0.0)
    assert all(np.isfinite(g).all() for g in clean)
    assert np.abs(clean[0][ASKS]).max() > 1e-4
    real = SOURCE & KEYS
    assert np.abs(clean[1][real]).max() > 1e-4
    for value in (np.nan, 8.0):
        seen = grads(value)
        for got, wanted in zip(seen, clean, strict=True):
            assert_close(got, wanted)
        assert np.all(seen[0][~ASKS] == 0)
        assert np.all(seen[1][~real] == 0) and np.all(seen[2][~real] == 0)


@pytest.mark.parametrize(
    ("kind", "dtype"), spread(KINDS, ["float16", "mixed_bfloat16"])
)
def test_half_precision(kind: str, dtype: str) -> None:
    if BACKEND == "numpy" and dtype == "mixed_bfloat16":
        pytest.skip("Keras makes float32 of bfloat16 on NumPy")
    layer, inputs = make(kind, dtype=dtype), [QUERY, VALUE, KEY]
    sees = np.repeat((SOURCE & KEYS)[:, None], 7, axis=1)
    wanted, _ = expected(kind, make(kind).get_weights(), inputs, ASKS, sees)
    padded = [
        poisoned(x, m, np.nan) for x, m in zip(inputs, (ASKS, SOURCE, KEYS))
    ]
    compute = layer.compute_dtype
    for scores in (False, True):
        y = ask(
            kind,
            layer,
            padded,
            [ASKS, SOURCE, KEYS],
            return_attention_scores=scores,
        )
        y = y[0] if scores else y
        assert keras.backend.standardize_dtype(y.dtype) == compute
        assert_close(ops.cast(y, "float32"), wanted, compute)


def test_nothing() -> None:
    for kind in KINDS:
        layer = make(kind)
        x = np.zeros((2, 0, 4), "float32")
        y = np.ones((2, 3, 4), "float32")
        empty, some = np.ones((2, 0), bool), np.ones((2, 3), bool)
        assert ask(kind, layer, [x, y], [empty, some]).shape == (2, 0, 4)
        z = to_numpy(ask(kind, layer, [y, x], [some, empty]))
        np.testing.assert_array_equal(z, np.zeros((2, 3, 4)))
        z = ask(kind, layer, [y[:0], y[:0]], None)
        assert tuple(z.shape) == (0, 3, 4)


@pytest.mark.parametrize("kind", SEVERAL)
def test_a_sliding_window_of_padding_alone(kind: str) -> None:
    if "sliding_window" not in make(kind, ours=False).get_config():
        with pytest.raises((TypeError, ValueError), match="sliding_window"):
            make(kind, sliding_window=2)
        return
    layer = make(kind, sliding_window=2)
    near = np.abs(np.arange(7)[:, None] - np.arange(5)) < 2
    sees = near & (SOURCE & KEYS)[:, None]
    assert not sees[0, 5].any() and not sees[0, 6].any()
    w, inputs = layer.get_weights(), [QUERY, VALUE, KEY]
    wanted, scores = expected(kind, w, inputs, ASKS, sees)
    padded = [
        poisoned(x, m, np.nan) for x, m in zip(inputs, (ASKS, SOURCE, KEYS))
    ]
    masks = [ASKS, SOURCE, KEYS]
    assert_close(ask(kind, layer, padded, masks), wanted)
    got = ask(kind, layer, padded, masks, return_attention_scores=True)
    assert_close(got[0], wanted)
    assert_close(got[1], scores)


class Encoder(keras.Model):
    """Two blocks, as in every textbook."""

    def __init__(self, kind: str, post_norm: bool) -> None:
        super().__init__()
        self.post_norm = post_norm
        self.attention = [make(kind) for _ in range(2)]
        self.add = [layers.MaskedAdd() for _ in range(2)]
        self.norm = [keras.layers.LayerNormalization() for _ in range(2)]
        self.pool = layers.MaskedGlobalAveragePooling1D()

    def call(self, x: Any) -> Any:
        for attention, add, norm in zip(self.attention, self.add, self.norm):
            if self.post_norm:
                x = norm(add([x, attention(x, x)]))
            else:
                y = norm(x)
                x = add([x, attention(y, y)])
        return self.pool(x)

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None


@pytest.mark.parametrize("post_norm", [True, False])
@pytest.mark.parametrize("kind", ["heads", "groups"])
def test_several_blocks(kind: str, post_norm: bool) -> None:
    encoder, attach = Encoder(kind, post_norm), layers.AttachMask()
    ids, real = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
    functional = keras.Model([ids, real], encoder.call(attach(ids, mask=real)))
    run = at_once(lambda x, mask: encoder(attach(x, mask=mask)))
    for mask in (MASKS["right"], MASKS["left"], MASKS["holes"]):
        x = poisoned(QUERY, mask, np.nan)
        alone = [
            to_numpy(run(x[row : row + 1, m], m[m][None]))[0]
            for row, m in enumerate(mask)
        ]
        assert_close(run(x, mask), alone)
        assert_close(functional.predict([x, mask], verbose=0), alone)


def test_an_encoder_of_several_decoders(tmp_path: Path) -> None:
    """Saved and loaded; the mask of the memory counts in both."""
    x = keras.Input((None, 4))
    memory_mask = keras.Input((None,), dtype="bool")
    targets = [keras.Input((None, 4)) for _ in range(2)]
    memory = layers.AttachMask()(x, mask=memory_mask)
    memory = layers.MaskedAdd()([memory, make("heads")(memory, memory)])
    outputs = [
        make("heads")(t, memory, use_causal_mask=i == 1)
        for i, t in enumerate(targets)
    ]
    model = keras.Model([x, memory_mask, *targets], outputs)
    model.save(tmp_path / "model.keras")
    padded = poisoned(VALUE, SOURCE, np.nan)
    for made in (model, keras.saving.load_model(tmp_path / "model.keras")):
        got = made.predict([padded, SOURCE, QUERY, QUERY], verbose=0)
        for row in range(2):
            real = SOURCE[row]
            lone = QUERY[row : row + 1]
            short = padded[row : row + 1, real], real[real][None]
            alone = made.predict([*short, lone, lone], verbose=0)
            assert_close(got[0][row], alone[0][0])
        assert np.all(got[0][2] == 0) and np.all(got[1][2] == 0)


# Keras' check before it uses a fused kernel breaks torch's graph.
@pytest.mark.filterwarnings("ignore:Dynamo does not know how to trace")
# PyTorch traces "heads" for a minute; test_everywhere.py compiles it too.
@pytest.mark.long
@pytest.mark.parametrize(
    "kind", ["dot"] if BACKEND == "torch" else ["heads", "dot"]
)
def test_explicit_symbolic_masks_compiled(kind: str) -> None:
    inputs = [keras.Input(batch_shape=x.shape) for x in (QUERY, VALUE)]
    masks = [
        keras.Input(batch_shape=m.shape, dtype="bool") for m in (ASKS, SOURCE)
    ]
    layer = make(kind)
    y = ask(kind, layer, inputs, masks)
    assert get_mask(y) is not None
    model = keras.Model([*inputs, *masks], [y, layers.GetMask()(y)])
    data = [poisoned(QUERY, ASKS, np.nan), poisoned(VALUE, SOURCE, np.nan)]
    data += [ASKS, SOURCE]
    if BACKEND == "torch":
        call = compiled(lambda *x: model(list(x)))
        got = call(*(ops.convert_to_tensor(a) for a in data))
    else:
        model.compile(jit_compile=True)
        got = model.predict(data, verbose=0)
    assert_close(got[0], to_numpy(ask(kind, layer, data[:2], data[2:])))
    np.testing.assert_array_equal(to_numpy(got[1]), ASKS)


def test_dropout_drops_and_padding_stays_out() -> None:
    layer = make("heads-dropout")
    x = layers.AttachMask()(poisoned(QUERY, ASKS, np.nan), mask=ASKS)
    y, z = (to_numpy(layer(x, x, training=t)) for t in (True, False))
    assert np.isfinite(y).all() and np.all(y[~ASKS] == 0)
    assert np.abs(y - z)[ASKS].max() > 1e-2
