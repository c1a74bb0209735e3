"""Layers on packed rows: each sequence gives what it gives alone."""

import inspect
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from tests.helpers import BACKEND
from tests.helpers import assert_close
from tests.helpers import gradient
from tests.helpers import gradients_of
from tests.helpers import mask_of
from tests.helpers import to_numpy
from tests.packing import LONE_MASK
from tests.packing import MASK
from tests.packing import SEGMENTS
from tests.packing import SEQUENCES
from tests.packing import SLOT_MASK
from tests.packing import pack
from tests.packing import slots

CAUSAL = {"use_causal_mask": True}
THEIRS = inspect.signature(keras.layers.MultiHeadAttention.__init__).parameters
POOLINGS: list[tuple[str, dict[str, Any]]] = [
    ("MaskedGlobalAveragePooling1D", {}),
    ("MaskedGlobalAveragePooling1D", {"weighting": "position"}),
    ("MaskedGlobalAveragePooling1D", {"weighting": "sqrtn"}),
    ("MaskedGlobalMaxPooling1D", {}),
    ("MaskedGlobalMinPooling1D", {"empty_value": -1.0}),
    ("MaskedGlobalSumPooling1D", {}),
    ("FirstStep", {}),
    ("LastStep", {"empty_value": 2.0}),
    ("StatisticsPooling1D", {}),
    ("AttentionPooling1D", {"num_heads": 2, "hidden_dim": 3}),
]


WINDOW = {"sliding_window": 2} if "sliding_window" in THEIRS else {}
HEADS = {"num_heads": 2, "key_dim": 3}
GROUPS = {"head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 1}
SEQUENCES_OUT = {"units": 3, "return_sequences": True}
GATES = {
    "recurrent_activation": "hard_sigmoid",
    "bias_initializer": "random_normal",
}
LSTM_BOTH_WAYS = {"layer": keras.layers.LSTM(**SEQUENCES_OUT)}
GRU_BOTH_WAYS = {"layer": keras.layers.GRU(**SEQUENCES_OUT, **GATES)}
KEEPING: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("TemporalSoftmax", {}, {}),
    ("TemporalReverse", {}, {}),
    ("MaskedPositionEmbedding", {"sequence_length": 11}, {}),
    ("MaskedSinePositionEncoding", {}, {}),
    ("MaskedGroupNormalization", {"groups": 2}, {}),
    ("MaskedMultiHeadAttention", HEADS, {}),
    ("MaskedMultiHeadAttention", {**HEADS, **WINDOW}, CAUSAL),
    ("MaskedGroupQueryAttention", GROUPS, CAUSAL),
    ("MaskedAttention", {"use_scale": True}, {}),
    ("MaskedAdditiveAttention", {}, CAUSAL),
    ("MaskedSimpleRNN", SEQUENCES_OUT, {}),
    ("MaskedLSTM", SEQUENCES_OUT, {}),
    ("MaskedGRU", SEQUENCES_OUT, {}),
    ("MaskedGRU", {**SEQUENCES_OUT, "reset_after": False}, {}),
    ("MaskedGRU", {**SEQUENCES_OUT, **GATES}, {}),
    ("MaskedGRU", {**SEQUENCES_OUT, "use_bias": False}, {}),
    ("MaskedGRU", {**SEQUENCES_OUT, "activation": "sigmoid"}, {}),
    ("MaskedLSTM", {**SEQUENCES_OUT, **GATES, "activation": "sigmoid"}, {}),
    ("MaskedBidirectional", LSTM_BOTH_WAYS, {}),
    ("MaskedBidirectional", GRU_BOTH_WAYS, {}),
]


def _model(kinds: list[Any], **packed: Any) -> Any:
    """A model of all those layers, whose inputs have unknown sizes."""
    x = keras.Input((None, 4))
    mask = keras.Input((None,), dtype="bool")
    masked = layers.AttachMask()(x, mask=mask)
    outputs = []
    for kind, how, *call in kinds:
        inputs: Any = (masked,)
        if "Head" in kind or ("Group" in kind and "Attention" in kind):
            inputs = masked, masked
        elif "Attention" in kind and "Pooling" not in kind:
            inputs = ([masked, masked],)
        layer = getattr(layers, kind)(**how, **packed)
        outputs.append(layer(*inputs, **(call[0] if call else {})))
    if packed:
        outputs = [*outputs, *(layers.GetMask()(y) for y in outputs)]
    return keras.Model([x, mask], outputs)


@pytest.mark.parametrize("family", ["pooling", "keeping"])
def test_each_sequence_gives_what_it_gives_alone(
    family: str, tmp_path: Any
) -> None:
    """Compiled and saved; with NaN in the gaps; and gradients."""
    kinds: list[Any] = POOLINGS
    how: dict[str, Any] = {"max_segments": SEGMENTS}
    place, places = slots, SLOT_MASK
    if family == "keeping":
        kinds, how = KEEPING, {"packed": True}
        place, places = pack, MASK
    alone, together = _model(kinds), _model(kinds, **how)
    together.set_weights(alone.get_weights())
    wanted = alone.predict([SEQUENCES, LONE_MASK], verbose=0)
    together.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    # JAX compiles for many seconds: there the loaded one alone.
    for model in (loaded,) if BACKEND == "jax" else (together, loaded):
        rows = [pack(SEQUENCES, np.nan), MASK]
        got = model.predict(rows, verbose=0)
        for (_, config, *_), y, z, mask in zip(
            kinds, wanted, got, got[len(kinds) :]
        ):
            empty = config.get("empty_value", 0.0)
            filled = np.where(places[..., None], place(y), empty)
            assert_close(z, filled)
            np.testing.assert_array_equal(mask, places)

    sick = SEQUENCES.copy()
    sick[1, 0] = np.nan  # a real step, of a sequence between two others
    got = loaded.predict([pack(sick), MASK], verbose=0)
    healthy = np.arange(5)[:, None] != 1
    well = pack(LONE_MASK & healthy)
    if family == "pooling":
        well = slots(healthy[:, 0])
    for y, z in zip(wanted, got):
        assert_close(z[well], place(y)[well])

    factors = [np.random.default_rng(0).normal(size=y.shape) for y in wanted]
    factors = [factor.astype("float32") for factor in factors]
    lone = _gradient(alone, SEQUENCES, LONE_MASK, factors)
    placed = [place(factor) for factor in factors]
    found = _gradient(together, pack(SEQUENCES, np.nan), MASK, placed)
    assert_close(found, pack(lone))


def test_training_ends_at_the_same_weights() -> None:
    """Padded, a sequence a row, and packed; of steps and of sequences."""

    def trained(segments: int | None) -> list[np.ndarray]:
        packed = segments is not None
        x, mask = keras.Input((None, 4)), keras.Input((None,), dtype="bool")
        y = layers.AttachMask()(x, mask=mask)
        y = layers.MaskedConv1D(4, 3, padding="same")(y)
        attention = layers.MaskedMultiHeadAttention(1, 4, packed=packed)
        y = layers.MaskedAdd()([y, attention(y, y)])
        y = layers.MaskedGRU(3, return_sequences=True, packed=packed)(y)
        pool = layers.StatisticsPooling1D(max_segments=segments)
        model = keras.Model([x, mask], [y, keras.layers.Dense(2)(pool(y))])
        keras.utils.set_random_seed(1)
        start = [w.shape for w in model.get_weights()]
        model.set_weights([0.4 * np.random.normal(size=s) for s in start])
        model.compile(keras.optimizers.SGD(0.1), ["mse", "mse"])
        data = [SEQUENCES, LONE_MASK], [SEQUENCES[..., :3], SEQUENCES[:, 0, :2]]
        if packed:
            (x, mask), (steps, targets) = data
            data = [pack(x, np.nan), MASK], [pack(steps), slots(targets)]
        for _ in range(3):
            model.train_on_batch(*data)
        return model.get_weights()

    for one, other in zip(trained(None), trained(SEGMENTS)):
        assert_close(other, one, scale=1.0)


def _gradient(
    model: Any, x: np.ndarray, mask: np.ndarray, factors: list[np.ndarray]
) -> np.ndarray:
    """The gradient of a weighted sum of the outputs."""

    def total(x: Any) -> Any:
        outputs = model([x, keras.ops.convert_to_tensor(mask)])
        return sum(
            keras.ops.sum(y * keras.ops.convert_to_tensor(factor))
            for y, factor in zip(outputs, factors)
        )

    jitted = keras.backend.backend() == "jax"
    return gradients_of(total, compile=jitted)(x)[0]


@pytest.mark.parametrize("alignment", ["start", "end"])
def test_the_kth_queries_see_the_kth_keys(alignment: str) -> None:
    """Their masks differ, so a band is one of steps and not of columns."""
    attention = layers.MaskedAttention(packed=True, causal_alignment=alignment)
    query, key = np.zeros((1, 6, 1), "float32"), np.zeros((1, 7, 1), "float32")
    masks = [
        np.array([[c == "1" for c in row]]) for row in ("110111", "0111101")
    ]
    _, scores = attention(
        [query, key],
        mask=masks,
        return_attention_scores=True,
        use_causal_mask=True,
    )
    half, third, none = [1 / 2] * 2, [1 / 3] * 3, [0.0] * 7
    sees = {
        "start": ([1.0], half, [1.0], [1.0], [1.0]),
        "end": (third, [1 / 4] * 4, None, None, [1.0]),
    }
    wanted = []
    for k, weights in enumerate(sees[alignment]):
        start = 1 if k < 2 else 6
        row = [*none]
        for i, weight in enumerate(weights or []):
            row[start + i] = weight
        wanted.append(row)
    wanted.insert(2, none)
    assert_close(scores, [wanted])


def test_equal_maxima_share_the_gradient() -> None:
    pool = layers.MaskedGlobalMaxPooling1D(max_segments=2)
    x = np.array([[[2.0], [2.0], [5.0], [2.0]]], "float32")
    mask = np.array([[True, True, False, True]])
    (found,) = gradient(lambda x: keras.ops.sum(pool(x, mask=mask)), x)
    assert found.ravel().tolist() == [0.5, 0.5, 0.0, 1.0]


def test_without_a_mask_a_row_is_one_sequence() -> None:
    y = layers.MaskedGlobalMaxPooling1D(max_segments=2)(SEQUENCES)
    assert_close(y[:, 0], SEQUENCES.max(axis=1))
    assert mask_of(y).tolist() == [[True, False]] * 5


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_dtypes(dtype: str) -> None:
    if (dtype, keras.backend.backend()) == ("float64", "jax"):
        pytest.skip("JAX has no float64 by default")
    x = pack(np.round(SEQUENCES, 2) * 8).astype(dtype)
    pool = layers.MaskedGlobalSumPooling1D(max_segments=2, dtype=dtype)
    lone = layers.MaskedGlobalSumPooling1D(dtype=dtype)
    y = pool(x[1:2], mask=MASK[1:2])
    wanted = lone(x[1:2], mask=MASK[1:2] & (np.arange(11) < 5))
    assert keras.backend.standardize_dtype(y.dtype) == lone.compute_dtype
    assert_close(y[:, 0], to_numpy(wanted), lone.compute_dtype)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_integers(dtype: str) -> None:
    x = np.array([[[3], [1], [9], [2], [0]]]).astype(dtype)
    mask = np.array([[True, True, False, True, False]])
    for kind, wanted in (
        ("Max", [3, 2, 0]),
        ("Min", [1, 2, 0]),
        ("Sum", [4, 2, 0]),
    ):
        if dtype == "bool":
            wanted = [2 if kind == "Sum" else 1, 1, 0]
        name = f"MaskedGlobal{kind}Pooling1D"
        y = getattr(layers, name)(max_segments=3)(x, mask=mask)
        assert to_numpy(y).ravel().tolist() == wanted


def test_too_many_sequences() -> None:
    pool = layers.LastStep(max_segments=2, name="last")
    rows = pack(SEQUENCES)
    with pytest.raises(ValueError, match=r"In layer .last..*max_segments=2"):
        pool(rows, mask=MASK)
    # A compiled function cannot raise.
    x = keras.Input((None, 4))
    mask = keras.Input((None,), dtype="bool")
    model = keras.Model([x, mask], pool(layers.AttachMask()(x, mask=mask)))
    if keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match="max_segments"):
            model.predict([rows, MASK], verbose=0)
        return
    got = model.predict([rows, MASK], verbose=0)
    assert np.isnan(got[0]).all()
    assert_close(got[1], to_numpy(pool(rows[1:], mask=MASK[1:]))[0])


def test_arguments() -> None:
    with pytest.raises(ValueError, match="`max_segments` must be an integer"):
        layers.FirstStep(max_segments=0)
    with pytest.raises(ValueError, match="exclude each other"):
        layers.FirstStep(True, max_segments=2)


@pytest.mark.parametrize(
    "how", [{}, {"return_sequences": True, "return_state": True}]
)
def test_no_state_for_a_row(how: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="`packed` needs"):
        layers.MaskedGRU(3, packed=True, **how)
    with pytest.raises(ValueError, match="`packed` needs"):
        layers.MaskedBidirectional(keras.layers.GRU(3, **how), packed=True)


def test_no_initial_state() -> None:
    rnn = layers.MaskedGRU(3, packed=True, return_sequences=True)
    with pytest.raises(ValueError, match="Leave it out"):
        rnn(SEQUENCES, np.zeros((5, 3)))
    with pytest.raises(ValueError, match="`packed` needs an LSTM, GRU"):
        layers.MaskedBidirectional(
            keras.layers.RNN(keras.layers.GRUCell(3)), packed=True
        )
