"""The Keras guide on masking and padding as a program that checks itself.

    KERAS_BACKEND=jax python examples/guide.py

It follows https://keras.io/guides/understanding_masking_and_padding/ in order,
and asserts what it prints. The classes `Guide...` reproduce layers of the guide
in a few lines, for comparison with our layers. A mask is boolean,
`(batch, steps)`, True at a real step. A hole is a padding step between real
steps; an empty row has no real step.
"""

import logging
import tempfile
import warnings
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking import layers

SENTENCES = [[3, 1, 4, 1, 5], [9, 2], [6, 5]]
IDS = keras.utils.pad_sequences(SENTENCES, padding="post")
TOLERANCE = 1e-6


@contextmanager
def known_warnings() -> Any:
    """Silences warnings that the tour explains, and one of NumPy 2."""
    with warnings.catch_warnings():
        # Since Keras 3.16 an LSTM uses its mask but does not pass it on: see
        # section 9. The other two do not even use it: see section 10.
        lost = ".*of type (LSTM|Conv1D|GlobalMaxPooling1D).*destroy the mask"
        warnings.filterwarnings("ignore", lost)
        warnings.filterwarnings("ignore", "__array__ implementation")
        yield


@known_warnings()
def numbers(x: Any) -> np.ndarray:
    """The values of a tensor, as an array."""
    return np.asarray(ops.convert_to_numpy(x))


@known_warnings()
def predict(model: keras.Model, inputs: Any) -> Any:
    """The predictions of a model."""
    return model.predict(inputs, verbose=0)


@known_warnings()
def functional(*sequence: keras.layers.Layer) -> keras.Model:
    """A Functional model of these layers on ids, `(batch, steps)`."""
    x = inputs = keras.Input((None,), dtype="int32")
    for layer in sequence:
        x = layer(x)
    return keras.Model(inputs, x)


def embed(mask_zero: bool = True) -> keras.layers.Layer:
    """An embedding of ten ids, with the same vectors at every call."""
    keras.utils.set_random_seed(1)
    return keras.layers.Embedding(10, 4, "he_uniform", mask_zero=mask_zero)


def raises(error: type[Exception], call: Any, *args: Any) -> bool:
    """Whether the call raises this error."""
    try:
        call(*args)
    except error:
        return True
    return False


def show(what: str, value: Any) -> None:
    """Prints a name and a value on one line."""
    with np.printoptions(precision=3, suppress=True):
        print(f"   {what}:", *str(value).split())


def change(a: Any, b: Any) -> float:
    """The largest difference, or NaN, which fails every assertion."""
    a, b = numbers(a), numbers(b)
    assert a.shape == b.shape
    return float(np.abs(a - b).max())


def judge(what: str, moved: float, keeps: bool = True) -> None:
    """Prints how far padding moved an output, and asserts the expectation."""
    show(what, f"moved by {moved:.1e}")
    assert moved < TOLERANCE if keeps else moved > 1e-3


def drift(model: keras.Model) -> float:
    """How far 20 padding steps, after or before, move each row's output."""
    alone = [predict(model, np.array([row])) for row in SENTENCES]
    more = np.pad(IDS, [(0, 0), (0, 20)])
    more = np.vstack([more, np.roll(more, 20, axis=1)])
    return change(predict(model, more), np.vstack(alone + alone))


def padding() -> None:
    """Lists of different lengths become one array, padded before or after."""
    pre = keras.utils.pad_sequences(SENTENCES)
    show('"pre", the default', pre)
    show('"post"', IDS)
    # A mask marks each step, so padding may be on either side. Some fast RNN
    # kernels on GPUs require it after the sequence.
    for batch in (pre, IDS):
        assert [row[row != 0].tolist() for row in batch] == SENTENCES
    # The default dtype truncates: use dtype="float32" for features.
    assert keras.utils.pad_sequences([[0.5, 1.5]]).tolist() == [[0, 1]]


def making_masks() -> None:
    """`Embedding` makes a mask from ids, `Masking` from vectors."""
    # `predict` returns no masks: GetMask makes the mask an output.
    mask = predict(functional(embed(), layers.GetMask()), IDS)
    show("Embedding", mask * 1)
    assert mask.dtype == bool and (mask == (IDS != 0)).all()
    x = np.stack([IDS, IDS], axis=-1).astype("float32")
    x[0, 1] = 0.0  # a measurement that happens to be zero
    mask = numbers(layers.GetMask()(keras.layers.Masking()(x)))
    show("Masking, with the hole that it makes", mask * 1)
    assert (mask == x.any(axis=-1)).all()


def propagation() -> None:
    """Sequential and Functional models pass a mask on automatically."""
    model = keras.Sequential([embed(), keras.layers.LSTM(3)])
    judge("Sequential", drift(model))
    for mask_zero in (True, False):
        model = functional(embed(mask_zero), keras.layers.LSTM(3))
        judge(f"Functional, mask_zero={mask_zero}", drift(model), mask_zero)


class ByHand(keras.Model):
    """Passes a mask from an embedding to an LSTM, past a lossy operation."""

    def __init__(self, hand_on: bool) -> None:
        super().__init__()
        self.embedding, self.lstm = embed(), keras.layers.LSTM(3)
        self.hand_on = hand_on

    def call(self, ids: Any) -> Any:
        # The product is a new tensor without a mask, and nothing warns.
        x = self.embedding(ids) * 2.0
        mask = self.embedding.compute_mask(ids)
        return self.lstm(x, mask=mask if self.hand_on else None)


def mask_by_hand() -> None:
    """`compute_mask` gives the mask, `mask=` takes it."""
    for hand_on in (True, False):
        judge(f"passed on: {hand_on}", drift(ByHand(hand_on)), hand_on)


class GuideSplit(keras.layers.Layer):
    """The problem: an odd number of steps cannot be halved."""

    def call(self, inputs: Any) -> Any:
        return ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else ops.split(mask, 2, axis=1)


def changing_the_mask() -> None:
    """A layer that changes the steps must change the mask: `TemporalSplit`."""
    five = keras.Input((5, 4))
    refused = raises(ValueError, GuideSplit(), five)
    lengths = [piece.shape[1] for piece in layers.TemporalSplit()(five)]
    show("GuideSplit of 5 steps", "error" if refused else "pieces")
    show("TemporalSplit of 5 steps", lengths)
    assert refused and lengths == [3, 2]
    halves = functional(embed(), layers.TemporalSplit())
    outputs = [*halves.outputs, *map(layers.GetMask(), halves.outputs)]
    left, right, *masks = predict(keras.Model(halves.inputs, outputs), IDS)
    show("mask of the second half", masks[1] * 1)
    assert (np.hstack(masks) == (IDS != 0)).all()
    vectors = numbers(halves.weights[0])[IDS]
    assert change(np.hstack([left, right]), vectors) == 0.0
    # Halves are halves of the padded array. If it is split at a given step, the
    # part before that step does not change with more padding after it.
    cut = functional(embed(), layers.TemporalSplit([3]))
    assert change(predict(cut, np.pad(IDS, [(0, 0), (0, 20)]))[0], left) == 0.0


class GuideEmbedding(keras.layers.Layer):
    """The problem: without `axis`, `ops.take` sees a flattened table."""

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(shape=(10, 2))

    def call(self, ids: Any) -> Any:
        return ops.take(self.embeddings, ids)

    def compute_mask(self, ids: Any, mask: Any = None) -> Any:
        return ops.not_equal(ids, 0)


def making_a_mask() -> None:
    """A layer that knows where padding is makes a mask: `CustomEmbedding`."""
    table = np.arange(20.0, dtype="float32").reshape(10, 2)
    ids = np.array([[3, 1, 0]], "int32")
    ours = layers.CustomEmbedding(10, 2, mask_zero=True)
    for layer, right in ((GuideEmbedding(), ids * 1.0), (ours, table[ids])):
        model = functional(layer)
        layer.set_weights([table])
        vectors = predict(model, ids)
        show(f"{type(layer).__name__} of {ids.tolist()}", vectors)
        assert change(vectors, right) == 0.0
        assert (numbers(layers.GetMask()(layer(ids))) == (ids != 0)).all()


class GuideActivation(keras.layers.Layer):
    """The problem: not registered, it loads only with `custom_objects`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs)


def passing_the_mask() -> None:
    """A layer that processes each step alone passes it on: `MyActivation`."""
    for cls, loads in ((GuideActivation, False), (layers.MyActivation, True)):
        model = functional(embed(), cls(), layers.MaskedGlobalMaxPooling1D())
        table = np.maximum(numbers(model.weights[0]), 0.0)
        right = np.stack([table[row].max(axis=0) for row in SENTENCES])
        assert change(predict(model, IDS), right) < TOLERANCE
        with known_warnings(), tempfile.TemporaryDirectory() as folder:
            model.save(path := f"{folder}/model.keras")
            failed = raises(TypeError, keras.saving.load_model, path)
            again = keras.saving.load_model(path, {cls.__name__: cls})
        show(f"{cls.__name__}, saved", "error" if failed else "loads")
        assert failed != loads
        assert change(predict(again, IDS), right) < TOLERANCE


class GuideSoftmax(keras.layers.Layer):
    """The problems: the axis, exp(89), 0 / 0, and it requires a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        assert mask is not None
        weights = ops.exp(inputs) * ops.cast(mask, "float32")[..., None]
        return weights / ops.sum(weights, axis=-1, keepdims=True)


def using_the_mask() -> None:
    """A layer that mixes steps needs the mask: `TemporalSoftmax`."""
    ids = np.array([[3, 1, 4], [1, 5, 0], [0, 0, 0]])  # the last row is empty
    shared = embed(), keras.layers.Dense(1)
    theirs, ours = GuideSoftmax(), layers.TemporalSoftmax()
    wrong = predict(functional(*shared, theirs), ids)[..., 0]
    right = predict(functional(*shared, ours), ids)[..., 0]
    show("GuideSoftmax", wrong)
    show("TemporalSoftmax", right)
    # GuideSoftmax divides by sums over the last axis, not over the steps: 1 at
    # every real step, whatever the logits, and 0 / 0 at padding steps.
    assert (wrong[ids != 0] == 1.0).all() and np.isnan(wrong[ids == 0]).all()
    # TemporalSoftmax is the softmax of each row alone, and 0 at padding.
    weights = np.exp(predict(functional(*shared), ids)[..., 0]) * (ids != 0)
    weights[:2] /= weights[:2].sum(axis=1, keepdims=True)
    assert change(right, weights) < TOLERANCE
    # GuideSoftmax does not subtract the maximum; exp(89) overflows float32.
    large, mask = np.array([[[100.0], [101.0]]], "float32"), np.ones((1, 2))
    wrong, right = (numbers(f(large, mask=mask)) for f in (theirs, ours))
    show("GuideSoftmax of 100 and 101", wrong.ravel())
    show("TemporalSoftmax of 100 and 101", right.ravel())
    assert np.isnan(wrong).all() and raises(AssertionError, theirs, large)
    assert change(right, np.exp(large - 101) / (1 + np.exp(-1))) < TOLERANCE


@known_warnings()
def explicit_masks() -> None:
    """A mask may be passed explicitly, as an argument or as an input."""
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")
    real = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], bool)  # with a hole
    steps, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    lstm, attach = keras.layers.LSTM, layers.AttachMask()
    first, second, last = lstm(4, return_sequences=True), lstm(3), lstm(3)
    hidden = first(attach(steps, mask=mask))
    # Up to Keras 3.15 an RNN passes its mask on. Since 3.16 it does not, and
    # AttachMask between the two layers is needed.
    outputs = {
        "LSTM with `mask=`": last(steps, mask=mask),
        "AttachMask, LSTM": last(attach(steps, mask=mask)),
        "AttachMask, LSTM, AttachMask, LSTM": second(attach(hidden, mask=mask)),
        "AttachMask, LSTM, LSTM": second(hidden),
    }
    model = keras.Model([steps, mask], outputs)
    alone = predict(model, [x[:1, real[0]], real[:1, real[0]]])
    padded = predict(model, [x, real])
    for name, kept in zip(outputs, [True] * 3 + [first.supports_masking]):
        judge(name, change(padded[name][:1], alone[name]), kept)


def the_rule() -> None:
    """The same output with more padding, appended or prepended."""
    plain = keras.layers.Conv1D, keras.layers.GlobalMaxPooling1D
    ours = layers.MaskedConv1D, layers.MaskedGlobalMaxPooling1D
    for conv, pool in (plain, ours):
        body = embed(), conv(8, 3, padding="same"), layers.MyActivation("tanh")
        model = functional(*body, pool(), keras.layers.Dense(3))
        judge(f"{conv.__name__}, {pool.__name__}", drift(model), conv in ours)


def main() -> None:
    """Takes the whole tour."""
    logging.getLogger("tensorflow").setLevel("ERROR")  # it warns often
    print(f"Keras {keras.__version__} on {keras.backend.backend()}")
    ready_made = padding, making_masks, propagation, mask_by_hand
    own = changing_the_mask, making_a_mask, passing_the_mask, using_the_mask
    rest = explicit_masks, the_rule
    for number, section in enumerate(ready_made + own + rest, start=1):
        print(f"{number}. {section.__doc__}")
        section()


if __name__ == "__main__":
    main()
