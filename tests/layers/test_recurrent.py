"""The recurrent layers: each row as alone, with any mask and on any kernel."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking.layers import kernels
from tests import recurrent
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import real_rows
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample()
KINDS = ("SimpleRNN", "LSTM", "GRU")
GATED = ("LSTM", "GRU")
HOLES = MASKS["holes"]
STATES = [sample(features=3, seed=s)[:, 0] for s in (1, 2)]


def make(kind: str, base: Any = layers, **config: Any) -> Any:
    """A recurrent layer of 3 units with fixed weights."""
    prefix = "Masked" if base is layers else ""
    layer = getattr(base, prefix + kind)(3, **config)
    layer.build(X.shape)
    rng = np.random.default_rng(5)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer


@pytest.mark.parametrize("name", ["right", "left", "holes", "empty"])
@pytest.mark.parametrize("kind", KINDS)
def test_sequences(kind: str, name: str) -> None:
    layer, mask = make(kind, return_sequences=True), MASKS[name]
    y = layer(poisoned(X, mask, np.nan), mask=mask)
    assert_close(y, recurrent.sequences(kind, X, mask, layer.get_weights()))
    np.testing.assert_array_equal(mask_of(y), mask)


@pytest.mark.parametrize("kind", KINDS)
def test_backwards(kind: str) -> None:
    layer = make(kind, return_sequences=True, go_backwards=True)
    y = layer(poisoned(X, HOLES, np.nan), mask=HOLES)
    weights = layer.get_weights()
    wanted = recurrent.sequences(kind, X, HOLES, weights, backwards=True)
    assert_close(y, wanted)
    np.testing.assert_array_equal(mask_of(y), HOLES[:, ::-1])


@pytest.mark.parametrize("name", ["left", "empty"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_last_step(kind: str, name: str) -> None:
    layer, mask = make(kind), MASKS[name]
    y = layer(poisoned(X, mask, np.inf), mask=mask)
    assert_close(y, recurrent.lasts(kind, X, mask, layer.get_weights()))
    assert mask_of(y) is None


@pytest.mark.parametrize("name", ["empty", "holes"])
@pytest.mark.parametrize("kind", KINDS)
def test_states(kind: str, name: str) -> None:
    """Those of a row alone; of an empty row the initial ones."""
    layer = make(kind, return_sequences=True, return_state=True)
    mask, first = MASKS[name], STATES[: len(layer.state_size)]
    x = layers.AttachMask()(poisoned(X, mask, np.nan), mask=mask)
    y, *states = layer(x, first)
    np.testing.assert_array_equal(mask_of(y), mask)
    for row, steps in enumerate(real_rows(X, mask)):
        before = [s[row].tolist() for s in first]
        weights = layer.get_weights()
        wanted, after = recurrent.run(kind, steps, weights, before)
        assert_close(to_numpy(y)[row, mask[row]].ravel(), np.ravel(wanted))
        assert np.all(to_numpy(y)[row, ~mask[row]] == 0)
        for state, want in zip(states, after, strict=True):
            assert mask_of(state) is None
            assert_close(to_numpy(state)[row], want)


def test_states_between_calls() -> None:
    """Two calls equal one call on both halves, with any padding in between."""
    layer = make("LSTM", stateful=True, return_sequences=True)
    halves = [MASKS["right"], MASKS["left"]]
    xs = [poisoned(X, m, np.nan) for m in halves]
    got = [layer(x, mask=m) for x, m in zip(xs, halves)]
    wanted = recurrent.sequences(
        "LSTM",
        np.concatenate([X, X], axis=1),
        np.concatenate(halves, axis=1),
        layer.get_weights(),
    )
    assert_close(np.concatenate([to_numpy(y) for y in got], axis=1), wanted)
    layer.reset_state()
    assert_close(layer(xs[0], mask=halves[0]), to_numpy(got[0]))


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("kind", GATED)
def test_training_with_states_between_calls(kind: str, masked: bool) -> None:
    """PyTorch raised: the states had been assigned before the gradient."""
    x = keras.Input(batch_shape=X.shape)
    layer = getattr(layers, f"Masked{kind}")(3, stateful=True)
    model = keras.Model(
        x, layer(keras.layers.Masking(-99.0)(x) if masked else x)
    )
    model.compile("sgd", "mse")
    given = np.where(HOLES[..., None], X, -99.0)
    before = [w.copy() for w in layer.get_weights()[:3]]
    y = np.ones((len(X), 3), "float32")
    history = model.fit(given, y, batch_size=len(X), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    for old, new in zip(before, layer.get_weights()):
        assert np.abs(new - old).max() > 0


@pytest.mark.parametrize("merge_mode", ["concat", None])
def test_bidirectional(merge_mode: str | None) -> None:
    inner = make("LSTM", keras.layers, return_sequences=True)
    layer = layers.MaskedBidirectional(inner, merge_mode=merge_mode)
    y = layer(poisoned(X, HOLES, np.nan), mask=HOLES)
    assert isinstance(layer.backward_layer, layers.MaskedLSTM)
    weights = layer.get_weights()
    there = recurrent.sequences("LSTM", X, HOLES, weights[:3])
    back = recurrent.sequences("LSTM", X, HOLES, weights[3:], backwards=True)
    wanted = [there, back[:, ::-1]]
    if merge_mode == "concat":
        y, wanted = [y], [np.concatenate(wanted, axis=-1)]
    for got, want in zip(y, wanted, strict=True):
        assert_close(got, want)
        np.testing.assert_array_equal(mask_of(got), HOLES)


def test_states_of_both_directions() -> None:
    inner = make("GRU", return_state=True)
    layer = layers.MaskedBidirectional(inner)
    y, there, back = layer(X, STATES, mask=MASKS["empty"])
    for row, steps in enumerate(real_rows(X, MASKS["empty"])):
        weights = layer.get_weights()
        ends = []
        for part, s, got in (
            (weights[:3], STATES[0], there),
            (weights[3:], STATES[1], back),
        ):
            path = steps if got is there else steps[::-1]
            _, (end,) = recurrent.run("GRU", path, part, [s[row].tolist()])
            assert_close(to_numpy(got)[row], end)
            ends += end
        wanted = ends if steps else [0] * 6
        assert_close(to_numpy(y)[row], wanted)


WAYS = {
    "plain": {},
    "dropout": {"dropout": 0.5},
    "hard": {"recurrent_activation": "hard_sigmoid"},
    "no-bias": {"use_bias": False},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", GATED)
def test_gradients_are_those_of_the_loop(kind: str, way: str) -> None:
    """Of weights, inputs and states, in training."""
    config = {"return_sequences": True, "seed": 3, **WAYS[way]}
    w = sample(features=3, seed=9)
    first = STATES[: 2 if kind == "LSTM" else 1]
    found = []
    for use_cudnn in ("auto", False):
        layer = make(kind, use_cudnn=use_cudnn, **config)
        others = [v.value for v in layer.non_trainable_variables]

        def loss(*given: Any, layer: Any = layer, others: Any = others) -> Any:
            x, *states = given[: 1 + len(first)]
            y, _ = layer.stateless_call(
                list(given[1 + len(first) :]),
                others,
                x,
                initial_state=states,
                mask=HOLES,
                training=True,
            )
            return ops.sum(ops.multiply(y, w))

        found.append(gradient(loss, X, *first, *layer.get_weights()))
    fused, loop = ([to_numpy(g) for g in grads] for grads in found)
    for got, want in zip(fused, loop, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-6)
    assert np.all(fused[0][~HOLES] == 0)


@pytest.mark.skipif(BACKEND != "torch", reason="only PyTorch has a faster way")
@pytest.mark.parametrize("kind", GATED)
@pytest.mark.parametrize(
    "config, fast",
    [
        ({}, True),
        ({"recurrent_activation": "hard_sigmoid"}, True),
        ({"dropout": 0.2}, True),
        ({"packed": True}, True),
        ({"recurrent_activation": "tanh"}, False),
        ({"recurrent_dropout": 0.2}, False),
        ({"use_cudnn": False}, False),
    ],
)
def test_which_kernel_runs(
    kind: str, config: Any, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way gives the numbers of the row alone; only some are fast."""
    runs = []
    for name in ("fused_lstm", "fused_gru"):
        run = getattr(kernels, name)

        def spy(*args: Any, run: Any = run, **how: Any) -> Any:
            out = run(*args, **how)
            runs.append(1)
            return out

        monkeypatch.setattr(kernels, name, spy)
    layer = make(kind, return_sequences=True, **config)
    y = to_numpy(layer(poisoned(X, HOLES, np.nan), mask=HOLES))
    supported = keras.version() >= "3.15"  # an older one loops
    assert bool(runs) == (fast and supported)
    for row, real in enumerate(HOLES):
        if not layer.packed:
            alone = to_numpy(layer(X[row : row + 1, real]))
            assert_close(y[row, real][None], alone)


@pytest.mark.skipif(BACKEND != "torch", reason="only PyTorch has a faster way")
@pytest.mark.parametrize("kind", GATED)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("steps", [6, 7])
def test_kernels_run_on_short_parts(
    kind: str, masked: bool, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras' gradient takes time that grows with the square of the steps."""
    seen, name = [], f"fused_{kind.lower()}"
    run = getattr(kernels, name)

    def spy(x: Any, *args: Any, **how: Any) -> Any:
        out = run(x, *args, **how)
        seen.append(x.shape[1])
        return out

    monkeypatch.setattr(kernels, name, spy)
    monkeypatch.setattr(kernels, "PART", 3)
    config = {"return_sequences": True, "return_state": True}
    ours, theirs = make(kind, **config), make(kind, keras.layers, **config)
    x = sample(steps=steps)
    mask = np.ones(x.shape[:2], bool) if masked else None
    found = [to_numpy(y) for y in ours(x, mask=mask)]
    wanted = [to_numpy(y) for y in theirs(x)]
    for got, want in zip(found, wanted, strict=True):
        assert_close(got, want)
    if keras.version() >= "3.15":  # an older one loops
        assert max(seen) <= 3 and sum(seen) == steps
    grads = [
        to_numpy(gradient(lambda z, a=a: ops.sum(ops.sin(a(z)[0])), x))
        for a in (ours, theirs)
    ]
    assert_close(*grads)


@pytest.mark.parametrize("kind", GATED)
def test_states_that_would_grow_at_padding(kind: str) -> None:
    """They multiply at each step, unless something holds them."""
    layer = make(kind, activation="relu")
    layer.set_weights([np.ones_like(w) for w in layer.get_weights()])
    x = np.ones((1, 400, 4), "float32")
    mask = np.arange(400)[None] < 2
    (found,) = gradient(lambda x: ops.sum(layer(x, mask=mask)), x)
    (alone,) = gradient(lambda x: ops.sum(layer(x)), x[:, :2])
    assert_close(found[:, :2], alone)
    assert not found[:, 2:].any()


@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_numbers_of_keras(kind: str, tmp_path: Path) -> None:
    theirs = make(kind, keras.layers, return_sequences=True)
    ours = make(kind, return_sequences=True)
    assert isinstance(ours, type(theirs))
    theirs.set_weights(ours.get_weights())
    assert_close(ours(X), to_numpy(theirs(X)))
    x = keras.Input((None, 4))
    y = ours(keras.layers.Masking(-99.0)(x))
    model = keras.Model(x, layers.MaskedGlobalSumPooling1D()(y))
    model.save(tmp_path / "model.keras")
    given = np.where(HOLES[..., None], X, -99.0)
    wanted = recurrent.sequences(kind, X, HOLES, ours.get_weights()).sum(1)
    for one in (model, keras.saving.load_model(tmp_path / "model.keras")):
        assert_close(one.predict(given, verbose=0), wanted)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", GATED)
def test_half_precision(kind: str, dtype: str) -> None:
    layer = make(kind, return_sequences=True, dtype=dtype)
    y = layer(poisoned(X, HOLES, np.nan), mask=HOLES)
    half = dtype.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(y.dtype) == half
    wanted = recurrent.sequences(kind, X, HOLES, layer.get_weights())
    assert_close(ops.cast(y, "float32"), wanted, half)


@pytest.mark.skipif(
    BACKEND == "torch", reason="its compiler unrolls the loop for a minute"
)
@pytest.mark.parametrize("kind", GATED)
def test_compiled(kind: str) -> None:
    layer = make(kind, return_sequences=True)
    run = compiled(lambda x, m: layer(x, mask=m))
    wanted = recurrent.sequences(kind, X, HOLES, layer.get_weights())
    x = ops.convert_to_tensor(poisoned(X, HOLES, np.nan))
    assert_close(run(x, HOLES), wanted)


def test_unrolled_backwards() -> None:
    layer = make("SimpleRNN", unroll=True, go_backwards=True)
    assert to_numpy(layer(X)).shape == (3, 3)
    with pytest.raises(ValueError, match="Pass `unroll=False`"):
        layer(X, mask=HOLES)


@pytest.mark.parametrize(
    "states", [STATES[:1], [s[:2] for s in STATES], [s[:, :2] for s in STATES]]
)
def test_states_that_do_not_fit(states: Any) -> None:
    given = [s.shape for s in states]
    with pytest.raises(ValueError) as error:
        make("LSTM", name="mine")(X, initial_state=states)
    assert str(error.value) == (
        "In layer 'mine' (of type MaskedLSTM): `initial_state` must have 2 "
        "states of shape (batch, units). Received: initial_state shapes="
        f"{given}, inputs.shape=(3, 7, 4). Pass states of the shapes "
        "[(3, 3), (3, 3)]."
    )
