"""Inside a wrapper: statistics and penalties see only real steps.

Inside the wrapper, a layer must give what it gives for the real rows alone, in
a batch without padding.
"""

import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking._keras import DIVIDES_PENALTIES
from keras_masking.errors import MaskWarning
from keras_masking.layers import inner_statistics
from keras_masking.layers import lent_masks
from tests.helpers import BACKEND
from tests.helpers import assert_close
from tests.helpers import to_numpy

MASK = np.array([[1, 0, 1], [0, 1, 0]], bool)
X = np.random.default_rng(0).normal(2, 3, size=(2, 3, 4, 4, 2))
X = np.where(MASK[:, :, None, None, None], X, np.nan).astype("float32")
NORM = keras.layers.BatchNormalization


def norm(**config: Any) -> keras.layers.Layer:
    return NORM(momentum=0.0, **config)


def cnn() -> keras.Sequential:
    """A model whose first layer loses the mask."""
    return keras.Sequential(
        [
            keras.layers.Conv2D(3, 3, activity_regularizer="l2"),
            norm(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
        ]
    )


def graph() -> keras.Model:
    x = keras.Input((4, 4, 2))
    y = keras.layers.GlobalAveragePooling2D()(norm()(x))
    return keras.Model(x, keras.layers.Dense(2)(norm()(y)))


# Keras warns correctly: the second of two convolutions would see padding.
loses_the_mask = pytest.mark.filterwarnings("ignore:.*destroy the mask")
INSIDE = {
    "norm": norm,
    "cnn": cnn,
    "graph": graph,
    "channels": lambda: norm(axis=1),
    "one-feature": lambda: keras.Sequential(
        [keras.layers.Dense(1, use_bias=False), norm()]
    ),
    "logarithm": lambda: keras.Sequential(  # -inf where there is padding
        [keras.layers.Lambda(lambda x: ops.log(ops.abs(x))), norm()]
    ),
    "penalty": lambda: keras.Sequential(
        [
            keras.layers.Dense(3, bias_initializer="ones"),
            keras.layers.ActivityRegularization(l1=0.5, l2=0.1),
        ]
    ),
    "segments": lambda: keras.layers.TimeDistributed(
        keras.Sequential([keras.layers.Conv1D(2, 2), norm()])
    ),
}


def statistics_of(layer: keras.layers.Layer) -> list[np.ndarray]:
    return [to_numpy(w) for w in layer.non_trainable_weights]


@pytest.mark.parametrize("make", INSIDE.values(), ids=INSIDE)
def test_segments_as_they_are_without_padding(make: Any) -> None:
    """The moving mean of `norm` was 0.36 and 1.51 instead of 0.72 and 3.01."""
    inside = make()
    wrapper = layers.MaskedTimeDistributed(inside)
    wrapper.build(X.shape)
    wrapper(X[:, :, :], mask=MASK)  # inference changes nothing
    before = inside.get_weights()
    wanted = inside(X[MASK], training=True)
    losses, learned = [*map(to_numpy, inside.losses)], statistics_of(inside)
    inside.set_weights(before)
    y = wrapper(X, mask=MASK, training=True)
    assert_close(to_numpy(y)[MASK], to_numpy(wanted))
    assert np.all(to_numpy(y)[~MASK] == 0)
    assert_close([*map(to_numpy, inside.losses)], losses)
    for got, learn in zip(statistics_of(inside), learned, strict=True):
        assert_close(got, learn, scale=3.0)


def test_the_smallest_example() -> None:
    """The mean was [2, 2.75]: the padding counted as zeros."""
    x = np.array([[[1, 2], [9, 9]], [[3, 5], [4, 4]]], "float32")
    wrapper = layers.MaskedTimeDistributed(norm())
    wrapper(x, mask=np.array([[1, 0], [1, 1]], bool), training=True)
    assert_close(wrapper.layer.moving_mean, [8 / 3, 11 / 3])


def test_of_nothing_nothing_is_learned() -> None:
    """Keras' masked mean of no step is 0, which moves the moving mean."""
    inside = NORM(moving_mean_initializer="ones")
    wrapper = layers.MaskedTimeDistributed(inside)
    wrapper(X, mask=np.zeros_like(MASK), training=True)
    assert_close(inside.moving_mean, [1, 1])
    assert_close(inside.moving_variance, [1, 1])


def conv_block() -> keras.Sequential:
    return keras.Sequential([keras.layers.Conv1D(3, 3, padding="same"), norm()])


@loses_the_mask
def test_steps_behind_a_layer_that_loses_the_mask() -> None:
    """`KeepMask` around a block: the mean was over 8 steps instead of 5."""
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 0]], bool)
    x = np.where(mask[..., None], X.reshape(2, 4, 24)[..., :5], 0)
    x = np.nan_to_num(x, nan=1.0)
    block = conv_block()
    keep = layers.KeepMask(block)
    keep(x, mask=mask, training=True)
    steps = to_numpy(block.layers[0](x))[mask]
    mean = [sum(values) / 5 for values in zip(*steps.tolist())]
    assert_close(block.layers[1].moving_mean, mean)
    # The same for steps in segments, one of which is padding.
    segments = np.stack([x, np.full_like(x, np.nan)], axis=1)
    both = np.stack([mask, np.zeros_like(mask)], axis=1)
    layers.MaskedTimeDistributed(block)(segments, mask=both, training=True)
    assert_close(block.layers[1].moving_mean, mean)


@loses_the_mask
def test_other_axes_than_the_steps() -> None:
    """The mask is then reduced to the rows that have a real step."""
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]], bool)
    x = np.random.default_rng(1).normal(size=(3, 4, 5)).astype("float32")
    squeezed = keras.Sequential(
        [
            keras.layers.GlobalMaxPooling1D(),
            norm(),
            keras.layers.RepeatVector(4),
        ]
    )
    layers.KeepMask(squeezed)(x, mask=mask, training=True)
    zeros = np.where(mask[..., None], x, 0)
    tops = [row.max(axis=0) for row in zeros[:2]]
    assert_close(squeezed.layers[1].moving_mean, (tops[0] + tops[1]) / 2)


def test_the_penalty_of_steps() -> None:
    """The penalty was 4: 12 steps of a bias of 1, divided by 3 rows."""
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]], bool)
    dense = keras.layers.Dense(
        1,
        bias_initializer="ones",
        activity_regularizer=keras.regularizers.L2(1),
    )
    layers.KeepMask(dense)(np.zeros((3, 4, 2), "float32"), mask=mask)
    assert_close(dense.losses[0], 5 / (2 if DIVIDES_PENALTIES else 1))
    backwards = keras.layers.SimpleRNN(
        1,
        return_sequences=True,
        go_backwards=True,
        activation=None,
        kernel_initializer="ones",
        recurrent_initializer="zeros",
    )
    # Keras accepts the argument but ignores it.
    backwards.activity_regularizer = keras.regularizers.L2(1)
    x = np.arange(4.0, dtype="float32").reshape(1, 4, 1) + 1
    layers.KeepMask(backwards)(x, mask=np.array([[1, 1, 0, 1]], bool))
    assert_close(backwards.losses[0], 1 + 4 + 16)


def unmasked() -> keras.layers.Layer:
    """Loses the mask."""
    return keras.layers.Lambda(lambda x: x * 1.0)


class Own(keras.layers.Layer):
    """A wrapper after a layer that loses the mask."""

    def __init__(self, wrapper: Any, norm: Any) -> None:
        super().__init__()
        self.wrapper, self.norm = wrapper(norm), norm

    def call(self, inputs: Any) -> Any:
        return self.wrapper(inputs * 1.0)


def behind(wrapper: Any, norm: Any) -> keras.Sequential:
    return keras.Sequential([unmasked(), wrapper(norm)])


# A row of 3 steps, a row of 1, and rows of padding.
VALUES = np.array([[[3.0], [5.0], [4.0]], [[8.0], [0.0], [0.0]]], "float32")
VALUES = np.pad(VALUES, ((0, 1), (0, 2), (0, 0)))
REAL = VALUES[..., 0] > 0
MEAN = (3 + 5 + 4 + 8) / 4
WRAPPERS = [layers.KeepMask, layers.MaskedTimeDistributed]


@loses_the_mask
@pytest.mark.parametrize("make", [Own, behind])
@pytest.mark.parametrize("inner", WRAPPERS)
@pytest.mark.parametrize("outer", WRAPPERS)
def test_a_wrapper_without_a_mask_hides_none(
    outer: Any, inner: Any, make: Any
) -> None:
    """It hid the mask of the outer wrapper: the mean was 20 / 15."""
    if outer is layers.KeepMask:
        x, mask = VALUES, REAL
    else:  # the steps are in one of three segments, the others are empty
        x = np.zeros((3, 3, *VALUES.shape[1:]), "float32")
        x[:, 1], mask = VALUES, np.zeros(x.shape[:3], bool)
        mask[:, 1] = REAL
    inside = norm()
    outer(make(inner, inside))(x, mask=mask, training=True)
    assert_close(inside.moving_mean, [MEAN])
    assert not lent_masks.LENT.loans


@loses_the_mask
def test_a_wrapper_without_a_mask_in_a_model(tmp_path: Path) -> None:
    """In `fit`, on batches of any size."""
    x, lengths = keras.Input((None, 1)), keras.Input((), dtype="int32")
    masked = layers.LengthMask()([x, lengths])
    inside = keras.Sequential(
        [keras.layers.EinsumDense("abc,cd->abd", (None, 1))]
    )
    inside.add(layers.MaskedTimeDistributed(norm(name="bn")))
    y = layers.KeepMask(inside)(masked)
    model = keras.Model([x, lengths], y)
    model.save(tmp_path / "model.keras")
    on_jax = keras.backend.backend() == "jax"
    for made in (model, keras.saving.load_model(tmp_path / "model.keras")):
        dense, wrapper = made.layers[-1].layer.layers
        dense.set_weights([np.ones((1, 1))])
        made.compile("sgd", "mse", jit_compile=on_jax)
        data = [VALUES, REAL.sum(axis=1).astype("int32")], VALUES
        made.fit(*data, batch_size=3, epochs=1, verbose=0)
        assert_close(wrapper.layer.moving_mean, [MEAN])


@loses_the_mask
def test_a_mask_made_inside_joins_the_one_around() -> None:
    """The mean was [3]: rows of padding counted as real."""
    inside = norm()
    layers.MaskedTimeDistributed(
        keras.Sequential(
            [unmasked(), layers.NaNMask(), layers.KeepMask(inside)]
        )
    )(
        np.array([[[[2.0], [np.nan]], [[0.0], [0.0]], [[4.0], [6.0]]]]),
        mask=np.array([[True, False, True]]),
        training=True,
    )
    assert_close(inside.moving_mean, [(2 + 4 + 6) / 3])


class Fold(keras.layers.Layer):
    """Folds steps into rows, and calls the layer inside on them."""

    def __init__(self, inside: Any) -> None:
        super().__init__()
        self.inside = inside

    def call(self, inputs: Any) -> Any:
        rows = ops.reshape(inputs, (-1, inputs.shape[-1]))
        return ops.reshape(self.inside(rows), ops.shape(inputs))


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("traced", {False, BACKEND == "tensorflow"})
def test_steps_as_rows(wrapper: Any, traced: bool) -> None:
    """The mean was 20 / 15: padding counted as zeros."""
    inside = norm()
    around = wrapper(Fold(inside))
    x, mask = VALUES[None], REAL[None]
    if wrapper is layers.KeepMask:
        x, mask = VALUES, REAL
    around.build(x.shape)
    if traced:
        import tensorflow as tf  # here sizes are unknown

        shapes = [[None] * mask.ndim + [1], [None] * mask.ndim]
        run = tf.function(
            lambda x, m: around(x, mask=m, training=True),
            input_signature=[
                tf.TensorSpec(shapes[0], "float32"),
                tf.TensorSpec(shapes[1], "bool"),
            ],
        )
        run(tf.constant(x), tf.constant(mask))
    else:
        around(x, mask=mask, training=True)
    assert_close(inside.moving_mean, [MEAN])


@loses_the_mask
def test_axes_that_are_not_the_masks() -> None:
    """Padding counts there, and nothing warned."""
    inside = norm(name="of_other_axes")
    pairs = keras.Sequential(
        [keras.layers.Reshape((10, 1)), inside, keras.layers.Reshape((5, 2))]
    )
    x = np.repeat(VALUES, 2, axis=-1)
    keep = layers.KeepMask(pairs)
    keep(x, mask=REAL)  # inference counts nothing
    with pytest.warns(MaskWarning, match="of_other_axes.*counts|counts.*of_o"):
        keep(x, mask=REAL, training=True)
    keep(x, mask=REAL, training=True)  # once

    class Thirds(Fold):
        def call(self, inputs: Any) -> Any:
            rows = ops.reshape(inputs, (-1, 5))
            return ops.reshape(self.inside(rows), ops.shape(inputs))

    with pytest.warns(MaskWarning, match="counts padding"):
        layers.KeepMask(Thirds(norm()))(x, mask=REAL, training=True)


@loses_the_mask
def test_steps_of_a_time_distributed_of_keras() -> None:
    """Keras calls it for each step: the last mean was (4 + 0 + 6) / 3."""
    x = np.array([[[3.0], [4.0]], [[1.0], [0.0]], [[2.0], [6.0]]], "float32")
    mask = np.array([[1, 1], [1, 0], [1, 1]], bool)
    inside = norm()
    block = keras.Sequential([unmasked(), inside])
    layers.KeepMask(keras.layers.TimeDistributed(block))(
        x, mask=mask, training=True
    )
    assert_close(inside.moving_mean, [(4 + 6) / 2])
    # If the mask is lost earlier, the steps do not get it.
    late = keras.Sequential([unmasked(), keras.layers.TimeDistributed(norm())])
    with pytest.warns(MaskWarning, match="MaskedTimeDistributed"):
        layers.KeepMask(late)(x, mask=mask, training=True)


class Penalized(keras.layers.Layer):
    """Adds the sum of its inputs as a loss."""

    def call(self, inputs: Any) -> Any:
        self.add_loss(ops.sum(inputs))
        return inputs


class PenalizedByMask(Penalized):
    def call(self, inputs: Any, mask: Any = None) -> Any:
        return super().call(inputs)


def test_a_loss_that_cannot_know_the_mask() -> None:
    inside = Penalized(activity_regularizer="l2")
    wrapper = layers.MaskedTimeDistributed(inside)
    with pytest.warns(MaskWarning, match="without reading.*Penalized") as seen:
        wrapper(X, mask=MASK)
    assert len(seen) == 1
    wrapper(X)
    layers.KeepMask(PenalizedByMask())(X, mask=MASK)
    # A penalty that Keras adds is not a loss of the layer itself.
    quiet = keras.layers.Identity(activity_regularizer="l2")
    layers.KeepMask(keras.Sequential([quiet]))(X, mask=MASK)


def test_nothing_is_left_behind() -> None:
    inside = keras.Sequential(
        [norm(name="b"), Penalized(activity_regularizer="l2", name="a")]
    )
    wrapper = layers.MaskedTimeDistributed(inside)
    with pytest.warns(MaskWarning):
        wrapper(X, mask=MASK)
    every = inside._flatten_layers()
    before = [(set(vars(x)), x.get_config()) for x in every]
    with pytest.raises(ValueError, match=r"\b9\b"):
        wrapper(np.zeros((2, 3, 4, 4, 9), "float32"), mask=MASK)
    assert before == [(set(vars(x)), x.get_config()) for x in every]
    assert not inner_statistics._borrowers
    assert not lent_masks.LENT.loans


def test_the_same_layer_outside_and_in_another_thread() -> None:
    """Only calls by the wrapper, in its thread, see its mask."""
    shared = norm()
    plain = np.arange(4.0, dtype="float32").reshape(2, 2)
    means: list[Any] = []

    def other(x: Any) -> Any:
        def run() -> None:
            shared(plain, training=True)
            means.append(to_numpy(shared.moving_mean))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return x

    wrapper = layers.MaskedTimeDistributed(
        keras.Sequential([keras.layers.Lambda(other), shared])
    )
    wrapper.build((2, 2, 2))
    x = np.array([[[1, 2], [9, 9]], [[3, 5], [4, 4]]], "float32")
    wrapper(x, mask=np.array([[1, 0], [1, 1]], bool), training=True)
    assert_close(shared.moving_mean, [8 / 3, 11 / 3])
    shared(plain, training=True)
    for mean in (*means, shared.moving_mean):
        assert_close(mean, [1, 2])


def video_model() -> keras.Model:
    frames, lengths = (
        keras.Input((None, 4, 4, 2)),
        keras.Input((), dtype="int32"),
    )
    x = layers.LengthMask()([frames, lengths])
    x = layers.MaskedTimeDistributed(cnn())(x)
    y = layers.KeepMask(conv_block())(x)
    y = layers.MaskedGlobalAveragePooling1D()(y)
    return keras.Model([frames, lengths], y)


class Videos(keras.utils.PyDataset):
    """Batches of two lengths, so that TensorFlow does not know the steps."""

    def __init__(self, batches: list[Any]) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        lengths = np.array([3, 1], "int32")
        return (self.batches[index], lengths), np.zeros((2, 3), "float32")


@loses_the_mask
def test_fit_and_saved(tmp_path: Path) -> None:
    """The result is the same with more padding in either batch."""
    model = video_model()
    model.save(tmp_path / "video.keras")
    loaded = keras.saving.load_model(tmp_path / "video.keras")
    x = np.nan_to_num(X, nan=5.0)
    more = np.pad(x, ((0, 0), (0, 2), (0, 0), (0, 0), (0, 0)))
    weights: list[Any] = []
    on_jax = keras.backend.backend() == "jax"  # slow if run op by op
    for made, batches in ((model, [x, more]), (loaded, [more, x])):
        made.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=on_jax)
        made.fit(Videos(batches), shuffle=False, verbose=0)
        weights.append(made.get_weights())
    for a, b in zip(*weights, strict=True):
        assert_close(a, b, scale=max(3.0, float(np.abs(b).max())))


def test_fit_compiled() -> None:
    x = np.array([[[1, 2], [9, 9]], [[3, 5], [4, 4]]], "float32")
    given, lengths = keras.Input((2, 2)), keras.Input((), dtype="int32")
    inside = norm()
    y = layers.LengthMask()([given, lengths])
    y = layers.MaskedTimeDistributed(inside)(y)
    model = keras.Model([given, lengths], y)
    whole = keras.backend.backend() != "torch"
    model.compile("sgd", "mse", jit_compile=whole)
    model.train_on_batch([x, np.array([1, 2], "int32")], np.zeros((2, 2, 2)))
    assert_close(inside.moving_mean, [8 / 3, 11 / 3])


def test_states_of_padding_stay() -> None:
    rnn = keras.layers.SimpleRNN(2, stateful=True)
    wrapper = layers.MaskedTimeDistributed(rnn)
    x = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype("float32")
    wrapper(x, mask=np.ones((2, 2), bool))
    before = to_numpy(rnn.states[0])
    wrapper(x, mask=np.array([[1, 0], [0, 1]], bool))
    after = to_numpy(rnn.states[0])
    np.testing.assert_array_equal(after[1:3], before[1:3])
    assert np.all(after[[0, 3]] != before[[0, 3]])
