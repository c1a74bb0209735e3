"""KeepMask: the layer inside gives the same as for each row alone."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking._keras import set_mask
from tests import recurrent
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import POISON
from tests.helpers import assert_close
from tests.helpers import compiled
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import real_rows
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample()
KINDS = ("SimpleRNN", "LSTM")
HOLES = MASKS["holes"]


def rnn(kind: str, units: int = 3, **config: Any) -> keras.layers.Layer:
    """A Keras recurrent layer with fixed weights."""
    layer = getattr(keras.layers, kind)(units, **config)
    layer.build(X.shape)
    rng = np.random.default_rng(5)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def keep(kind: str, **config: Any) -> Any:
    layer = layers.KeepMask(rnn(kind, **config))
    return layer, layer.layer.get_weights()


@pytest.mark.parametrize("name", ["right", "left", "holes", "empty"])
@pytest.mark.parametrize("kind", KINDS)
def test_sequences(kind: str, name: str) -> None:
    layer, weights = keep(kind, return_sequences=True)
    mask = MASKS[name]
    y = layer(poisoned(X, mask, np.nan), mask=mask)
    assert_close(y, recurrent.sequences(kind, X, mask, weights))
    np.testing.assert_array_equal(mask_of(y), mask)


@pytest.mark.parametrize("kind", KINDS)
def test_backwards(kind: str) -> None:
    layer, weights = keep(kind, return_sequences=True, go_backwards=True)
    y = layer(poisoned(X, HOLES, np.nan), mask=HOLES)
    wanted = recurrent.sequences(kind, X, HOLES, weights, backwards=True)
    assert_close(y, wanted)
    np.testing.assert_array_equal(mask_of(y), HOLES[:, ::-1])


@pytest.mark.parametrize("name", ["left", "empty"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_last_of_a_stack(kind: str, name: str) -> None:
    layer, weights = keep(kind)
    mask = MASKS[name]
    y = layer(poisoned(X, mask, np.inf), mask=mask)
    assert_close(y, recurrent.lasts(kind, X, mask, weights))
    assert mask_of(y) is None


@pytest.mark.parametrize("carried", [False, True])
def test_states(carried: bool) -> None:
    """Keras ignores a carried mask if there is an `initial_state`."""
    mask = MASKS["empty"]
    layer, weights = keep("LSTM", return_sequences=True, return_state=True)
    first = [sample(features=3, seed=s)[:, 0] for s in (1, 2)]
    x = poisoned(X, mask, np.nan)
    if carried:
        given = layer(layers.AttachMask()(x, mask=mask), initial_state=first)
    else:
        given = layer(x, mask=mask, initial_state=first)
    y, *states = given
    np.testing.assert_array_equal(mask_of(y), mask)
    for row, steps in enumerate(real_rows(X, mask)):
        before = [s[row].tolist() for s in first]
        wanted, after = recurrent.run("LSTM", steps, weights, before)
        assert_close(to_numpy(y)[row, mask[row]].ravel(), np.ravel(wanted))
        assert np.all(to_numpy(y)[row, ~mask[row]] == 0)
        for state, want in zip(states, after):
            assert mask_of(state) is None
            assert_close(to_numpy(state)[row], want)


def test_an_empty_row_with_states_gives_zero_everywhere() -> None:
    """In Keras JAX gives the state, the other backends 0."""
    layer, _ = keep("GRU")
    states = np.ones((3, 3), "float32")
    y = layer(X, mask=MASKS["nothing"], initial_state=states)
    np.testing.assert_array_equal(to_numpy(y), np.zeros((3, 3)))


def test_states_between_calls() -> None:
    """Two calls equal one call on both halves, with any padding in between."""
    layer = layers.KeepMask(
        keras.layers.GRU(3, stateful=True, return_sequences=True)
    )
    halves = [MASKS["right"], MASKS["left"]]
    xs = [poisoned(X, m, np.nan) for m in halves]
    got = [layer(x, mask=m) for x, m in zip(xs, halves)]
    wanted = recurrent.sequences(
        "GRU",
        np.concatenate([X, X], axis=1),
        np.concatenate(halves, axis=1),
        layer.layer.get_weights(),
    )
    assert_close(np.concatenate([to_numpy(y) for y in got], axis=1), wanted)
    assert layer.stateful
    layer.reset_state()
    assert_close(layer(xs[0], mask=halves[0]), to_numpy(got[0]))


@pytest.mark.parametrize("merge_mode", ["concat", None])
def test_bidirectional(merge_mode: str | None) -> None:
    layer = layers.KeepMask(
        keras.layers.Bidirectional(
            rnn("GRU", return_sequences=True), merge_mode=merge_mode
        )
    )
    y = layer(poisoned(X, HOLES, np.nan), mask=HOLES)
    weights = layer.layer.get_weights()
    there = recurrent.sequences("GRU", X, HOLES, weights[:3])
    back = recurrent.sequences("GRU", X, HOLES, weights[3:], backwards=True)
    wanted = [there, back[:, ::-1]]
    if merge_mode == "concat":
        y, wanted = [y], [np.concatenate(wanted, axis=-1)]
    for got, want in zip(y, wanted, strict=True):
        assert_close(got, want)
        np.testing.assert_array_equal(mask_of(got), HOLES)


POINTWISE = {
    "RMSNormalization": (
        lambda: keras.layers.RMSNormalization(epsilon=1e-3),
        lambda x: x / np.sqrt(np.mean(np.square(x)) + 1e-3),
    ),
    "EinsumDense": (
        lambda: keras.layers.EinsumDense(
            "abc,cd->abd", (None, 2), kernel_initializer="ones"
        ),
        lambda x: np.array([sum(x)] * 2),
    ),
    "Dense": (
        lambda: keras.layers.Dense(
            2, kernel_initializer="ones", bias_initializer="ones"
        ),
        lambda x: np.array([sum(x) + 1] * 2),
    ),
    "Lambda": (lambda: keras.layers.Lambda(lambda x: x - 2), lambda x: x - 2),
    "Identity": (keras.layers.Identity, lambda x: x),
}


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("name", POINTWISE)
def test_layers_of_one_step(name: str, poison: str) -> None:
    make, function = POINTWISE[name]
    x = ops.convert_to_tensor(poisoned(X, HOLES, POISON[poison]))
    y = layers.KeepMask(make())(x, mask=HOLES)
    for row, mask in enumerate(HOLES):
        for t, real in enumerate(mask):
            wanted = function(X[row, t].astype("float64"))
            assert_close(y[row, t], wanted if real else 0 * wanted)
    np.testing.assert_array_equal(mask_of(y), HOLES)
    assert mask_of(x) is None


def test_a_list_of_inputs() -> None:
    one, two = MASKS["right"], MASKS["left"]
    x, y = poisoned(X, one, np.nan), poisoned(2 * X, two, np.inf)
    layer = layers.KeepMask(keras.layers.Add())
    z = layer([layers.AttachMask()(x, mask=one), y, X], mask=[None, two, None])
    both = one & two
    assert_close(z, np.where(both[..., None], X + 2 * X + X, 0))
    np.testing.assert_array_equal(mask_of(z), both)
    plain = layer([X, X, X])
    assert_close(plain, 3 * X)
    assert mask_of(plain) is None


class Deaf(keras.layers.Layer):
    """Takes a mask, says it supports none, and adds the mask it got."""

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        told = 0.0 if mask is None else ops.cast(mask, "float32")[..., None]
        return inputs + told + (10.0 if training else 0.0)


class Composed(keras.layers.Layer):
    """Leaves it to Keras to pass the mask to the layers inside."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = keras.layers.GlobalAveragePooling1D()

    def call(self, inputs: Any) -> Any:
        return inputs + self.pool(inputs)[:, None]


def test_what_a_layer_is_told() -> None:
    """Tests turn warnings into errors, including that of a lost mask."""
    y = layers.KeepMask(Deaf())(X, mask=HOLES)
    assert_close(y, np.where(HOLES[..., None], X + 1, 0))
    y = layers.KeepMask(Deaf())(X, mask=HOLES, training=True)
    assert_close(y, np.where(HOLES[..., None], X + 11, 0))
    y = layers.KeepMask(Composed())(poisoned(X, HOLES, 8.0), mask=HOLES)
    for row, steps in enumerate(real_rows(X, HOLES)):
        mean = np.sum(steps, axis=0) / len(steps)
        real = HOLES[row]
        assert_close(to_numpy(y)[row, real], np.array(steps) + mean)
        assert np.all(to_numpy(y)[row, ~real] == 0)


def test_a_mask_that_the_layer_makes() -> None:
    ids = np.array([[3, 0, 5]])
    layer = layers.KeepMask(keras.layers.Embedding(6, 2, mask_zero=True))
    np.testing.assert_array_equal(mask_of(layer(ids)), ids != 0)


def stack(bare: bool = False) -> keras.Model:
    """An Embedding and two recurrent layers with fixed weights."""
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(10, 4, mask_zero=True)(ids)
    inner = keras.layers.LSTM(3, return_sequences=True), keras.layers.LSTM(2)
    for layer in inner:
        x = layer(x) if bare else layers.KeepMask(layer)(x)
    model = keras.Model(ids, x)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


def test_a_stack_does_not_see_padding(tmp_path: Path) -> None:
    model = stack()
    table, *weights = model.get_weights()
    outputs, _ = recurrent.run("LSTM", table[[3, 1, 4]].tolist(), weights[:3])
    wanted = recurrent.run("LSTM", outputs, weights[3:])[0][-1]
    rows = np.array(
        [[3, 1, 4, 0, 0, 0], [0, 0, 0, 3, 1, 4], [0, 3, 0, 1, 4, 0]]
    )
    for ids in (rows, np.pad(rows, ((0, 0), (0, 5))), np.array([[3, 1, 4]])):
        got = model.predict(ids, verbose=0)
        assert_close(got, [wanted] * len(ids))
    model.save(tmp_path / "stack.keras")
    loaded = keras.saving.load_model(tmp_path / "stack.keras")
    assert_close(loaded.predict(rows, verbose=0), [wanted] * 3)


def test_states_from_an_encoder_to_a_decoder(tmp_path: Path) -> None:
    """In a Functional model; padding of neither input changes the output."""
    ids = [keras.Input((None,), dtype="int32") for _ in range(2)]
    embed = keras.layers.Embedding(10, 4, mask_zero=True)
    encoder = layers.KeepMask(keras.layers.GRU(3, return_state=True))
    decoder = layers.KeepMask(keras.layers.GRU(3))
    _, state = encoder(embed(ids[0]))
    model = keras.Model(ids, decoder(embed(ids[1]), initial_state=state))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    table, *weights = model.get_weights()
    _, states = recurrent.run("GRU", table[[3, 1, 4]].tolist(), weights[:3])
    wanted = recurrent.run("GRU", table[[1, 5]].tolist(), weights[3:], states)[
        0
    ][-1]
    model.save(tmp_path / "model.keras")
    for made in (model, keras.saving.load_model(tmp_path / "model.keras")):
        for first, second in (
            ([3, 1, 4], [1, 5]),
            ([0, 3, 0, 1, 4], [1, 0, 5, 0, 0]),
        ):
            rows = [np.array([first]), np.array([second])]
            assert_close(made.predict(rows, verbose=0), [wanted])


def test_a_model_inside() -> None:
    """Keras would warn that a nested model destroys the mask."""
    x = keras.Input((None, 4))
    dense = keras.layers.Dense(
        2, kernel_initializer="ones", bias_initializer="ones"
    )
    layer = layers.KeepMask(keras.Model(x, dense(keras.layers.ReLU()(x))))
    y = layer(layers.AttachMask()(poisoned(X, HOLES, np.nan), mask=HOLES))
    sums = np.maximum(X, 0).sum(axis=-1, keepdims=True) + 1
    assert_close(y, np.where(HOLES[..., None], sums, 0).repeat(2, -1))
    np.testing.assert_array_equal(mask_of(y), HOLES)


def test_weight_gradients_of_rows_alone() -> None:
    """With NaN padding, where Keras' gradients are NaN."""
    layer = layers.KeepMask(rnn("GRU", return_sequences=True))
    layer.build(X.shape)
    weights = layer.get_weights()
    others = [v.value for v in layer.non_trainable_variables]
    w = sample(features=3, seed=9)

    def loss(layer: Any, x: Any, w: Any, **how: Any) -> Any:
        def function(*weights: Any) -> Any:
            y, _ = layer.stateless_call(list(weights), others, x, **how)
            return ops.sum(ops.multiply(y, w))

        return function

    x = ops.convert_to_tensor(poisoned(X, HOLES, np.nan))
    grads = gradient(loss(layer, x, w, mask=HOLES), *weights)
    wanted: Any = 0
    for row, real in enumerate(HOLES):
        # Keras 3.12 takes no arrays on PyTorch.
        alone = ops.convert_to_tensor(X[None, row, real])
        part = w[None, row, real]
        of_row = gradient(loss(layer.layer, alone, part), *weights)
        wanted = [g + h for g, h in zip(of_row, wanted or [0] * 3)]
    for got, want in zip(grads, wanted):
        assert_close(got, want)


def test_in_every_kind_of_model() -> None:
    layer, weights = keep("SimpleRNN", return_sequences=True)
    wanted = recurrent.sequences("SimpleRNN", X, HOLES, weights)
    x = np.where(HOLES[..., None], X, -99.0)
    sequential = keras.Sequential([keras.layers.Masking(-99.0), layer])
    assert_close(sequential.predict(x, verbose=0), wanted)

    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.mask, self.layer = keras.layers.Masking(-99.0), layer

        def call(self, inputs: Any) -> Any:
            return self.layer(self.mask(inputs))

    assert_close(Model().predict(x, verbose=0), wanted)
    if BACKEND != "torch":  # its compiler unrolls the loop for a minute
        run = compiled(lambda x, m: layer(x, mask=m))
        assert_close(run(ops.convert_to_tensor(x), HOLES), wanted)
    assert len(layer.weights) == len(layer.layer.weights)
    for a, b in zip(layer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(dtype: str) -> None:
    layer, weights = keep("LSTM", return_sequences=True, dtype=dtype)
    y = layer(layers.AttachMask()(poisoned(X, HOLES, np.nan), mask=HOLES))
    half = dtype.removeprefix("mixed_")
    assert keras.backend.standardize_dtype(y.dtype) == half
    wanted = recurrent.sequences("LSTM", X, HOLES, weights)
    assert_close(ops.cast(y, "float32"), wanted, half)
    np.testing.assert_array_equal(mask_of(y), HOLES)


def test_of_nothing_comes_nothing() -> None:
    layer, _ = keep("LSTM", return_sequences=True)
    for shape in ((0, 7, 4), (3, 0, 4)):
        y = layer(np.zeros(shape, "float32"), mask=np.ones(shape[:2], bool))
        assert to_numpy(y).shape == (*shape[:2], 3)
        assert mask_of(y).shape == shape[:2]


def test_a_copy_from_the_config() -> None:
    layer = layers.KeepMask(keras.layers.GRU(3, go_backwards=True), name="k")
    clone = layers.KeepMask.from_config(layer.get_config())
    assert clone.name == "k"
    assert clone.get_config() == layer.get_config()
    clone.build(X.shape)
    layer.build(X.shape)
    clone.set_weights(layer.get_weights())
    np.testing.assert_array_equal(
        to_numpy(clone(X, mask=HOLES)), to_numpy(layer(X, mask=HOLES))
    )


def test_a_mask_on_a_wrapped_tensor_stays() -> None:
    x = ops.convert_to_tensor(X)
    set_mask(x, ops.convert_to_tensor(HOLES))
    layers.KeepMask(Composed())(x)
    np.testing.assert_array_equal(mask_of(x), HOLES)
