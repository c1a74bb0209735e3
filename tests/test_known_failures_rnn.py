"""What Keras gets wrong with masks around its recurrent layers, and ours.

Each test has Keras' number and ours. If it changes on a newer Keras: check,
then update the docs.
"""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from tests import recurrent
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import quietly
from tests.helpers import sample
from tests.helpers import to_numpy

# Other backends trace or compile each model: there they run with the kit.
pytestmark = [pytest.mark.long] if BACKEND != "torch" else []
X, MASK = sample(), MASKS["right"]
# The next Keras: its recurrent layers do not support masking.
NEXT = not keras.layers.LSTM(1).supports_masking
IDS = np.array([[1, 2, 3, 4, 5]])
PADDED = np.pad(IDS, ((0, 0), (0, 4)))


def carrying(x: Any, mask: np.ndarray) -> Any:
    return layers.AttachMask()(x, mask=mask)


def drift(model: keras.Model) -> float:
    """How far the output moves when four steps of padding are appended."""
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    short, long = (quietly(model.predict, x, verbose=0) for x in (IDS, PADDED))
    return float(np.abs(short - long).max())


def embedded(*stack: keras.layers.Layer) -> keras.Model:
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(10, 4, mask_zero=True)(ids)
    for layer in stack:
        x = quietly(layer, x)
    return keras.Model(ids, x)


STACKS = {
    "LSTM, LSTM": (
        lambda: keras.layers.LSTM(3, return_sequences=True),
        lambda: keras.layers.LSTM(3),
        0.154,
    ),
    "Bidirectional, average": (
        lambda: keras.layers.Bidirectional(
            keras.layers.LSTM(3, return_sequences=True)
        ),
        keras.layers.GlobalAveragePooling1D,
        0.178,
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_from_3_16_recurrent_layers_drop_the_mask(name: str) -> None:
    first, second, wanted = STACKS[name]
    theirs = drift(embedded(first(), second()))
    assert theirs == pytest.approx(wanted if NEXT else 0, abs=1e-3)
    assert drift(embedded(layers.KeepMask(first()), second())) < 1e-6


@pytest.mark.parametrize(
    "make, wanted",
    [
        (keras.layers.RMSNormalization, 1.185),
        (lambda: keras.layers.EinsumDense("abc,cd->abd", (None, 2)), 0.666),
    ],
    ids=["RMSNormalization", "EinsumDense"],
)
def test_layers_of_one_step_destroy_the_mask(make: Any, wanted: float) -> None:
    pool = keras.layers.GlobalAveragePooling1D
    theirs = drift(embedded(make(), pool()))
    assert theirs == pytest.approx(wanted, abs=1e-3)
    assert drift(embedded(layers.KeepMask(make()), pool())) < 1e-6


def test_a_state_makes_keras_ignore_the_mask() -> None:
    rnn = keras.layers.GRU(3)
    rnn.build(X.shape)
    states = np.zeros((3, 3), "float32")
    x = carrying(X, MASK)
    weights = rnn.get_weights()
    wanted = recurrent.lasts("GRU", X, MASK, weights)
    padded = recurrent.lasts("GRU", X, np.ones_like(MASK), weights)
    assert np.abs(wanted - padded).max() > 0.01
    theirs = quietly(rnn, x, initial_state=[states])
    assert_close(theirs, padded)
    ours = layers.KeepMask(rnn)(x, initial_state=[states])
    assert_close(ours, wanted)


def test_backwards_the_mask_of_keras_is_not() -> None:
    how = {"return_sequences": True, "go_backwards": True}
    x = carrying(X, MASK)
    theirs = mask_of(quietly(keras.layers.GRU(3, **how), x))
    if NEXT:
        assert theirs is None
    else:
        np.testing.assert_array_equal(theirs, MASK)
    ours = layers.KeepMask(keras.layers.GRU(3, **how))(x)
    np.testing.assert_array_equal(mask_of(ours), MASK[:, ::-1])


def test_unrolled_backwards_keras_is_wrong_or_fails() -> None:
    """Our layer rejects it, and is right with `unroll=False`."""
    how = {"return_sequences": True, "unroll": True}
    both = keras.layers.Bidirectional(keras.layers.GRU(3, **how))
    both.build(X.shape)
    weights = both.get_weights()
    back = recurrent.sequences("GRU", X, MASK, weights[3:], backwards=True)
    back = back[:, ::-1]
    if BACKEND == "torch":
        with pytest.raises(AttributeError, match="has no attribute 'shape'"):
            quietly(both, X, mask=MASK)
    else:
        theirs = to_numpy(quietly(both, X, mask=MASK))[..., 3:]
        wrong = np.abs(theirs - back)[MASK] > 1e-5
        # TensorFlow zeroes real outputs, since the mask is not reversed.
        assert wrong.any() == (BACKEND == "tensorflow")
        assert np.all(theirs[MASK][wrong] == 0)
    with pytest.raises(ValueError, match="unrolled backwards"):
        layers.KeepMask(both)(X, mask=MASK)
    how["unroll"] = False
    rolled = keras.layers.Bidirectional(keras.layers.GRU(3, **how))
    rolled.build(X.shape)
    rolled.set_weights(weights)
    ours = layers.KeepMask(rolled)(X, mask=MASK)
    assert_close(to_numpy(ours)[..., 3:], back)


def test_nan_padding_ruins_the_gradients_of_weights() -> None:
    rnn = keras.layers.GRU(3, return_sequences=True)
    rnn.build(X.shape)
    kept = layers.KeepMask(rnn)
    kept.build(X.shape)
    x = ops.convert_to_tensor(poisoned(X, MASK, np.nan))
    others = [v.value for v in rnn.non_trainable_variables]
    for layer, finite in ((rnn, False), (kept, True)):

        def loss(*weights: Any, layer: Any = layer) -> Any:
            mask = ops.convert_to_tensor(MASK)
            y, _ = layer.stateless_call(list(weights), others, x, mask=mask)
            return ops.sum(ops.where(mask[..., None], y, 0.0))

        for grad in gradient(loss, *rnn.get_weights()):
            assert np.isfinite(grad).all() == finite


STEPS = np.stack([MASK, MASKS["left"]], axis=1)
TEXT = np.stack([X, X[:, ::-1]], axis=1)


def test_time_distributed_takes_a_mask_of_segments_for_one_of_steps() -> None:
    segments = STEPS.any(axis=-1)
    theirs = keras.layers.TimeDistributed(keras.layers.GRU(3))
    with pytest.raises(Exception):  # noqa: B017, each backend raises its own
        quietly(theirs, TEXT, mask=ops.convert_to_tensor(segments))
    ours = layers.MaskedTimeDistributed(keras.layers.GRU(3))
    y = ours(TEXT, mask=segments)
    np.testing.assert_array_equal(mask_of(y), segments)


def test_time_distributed_leaves_the_mask_of_steps_on_what_has_none() -> None:
    theirs = keras.layers.TimeDistributed(keras.layers.GRU(3))
    y = quietly(theirs, TEXT, mask=ops.convert_to_tensor(STEPS))
    assert y.shape == (3, 2, 3)
    if NEXT:
        assert mask_of(y) is None
    else:
        assert mask_of(y).shape == (3, 2, 7)
    ours = layers.MaskedTimeDistributed(keras.layers.GRU(3))
    z = ours(TEXT, mask=STEPS)
    np.testing.assert_array_equal(mask_of(z), STEPS.any(axis=-1))
    ours.set_weights(theirs.get_weights())
    assert_close(ours(TEXT, mask=STEPS), to_numpy(y))


@pytest.mark.parametrize("ids", [np.array([[[3, 1], [2, 0]]])])
def test_time_distributed_loses_the_mask_that_its_layer_makes(
    ids: np.ndarray,
) -> None:
    def embedding() -> keras.layers.Layer:
        return keras.layers.Embedding(9, 4, mask_zero=True)

    theirs = keras.layers.TimeDistributed(embedding())
    assert mask_of(theirs(ids)) is None
    ours = layers.MaskedTimeDistributed(embedding())
    np.testing.assert_array_equal(mask_of(ours(ids)), ids != 0)
