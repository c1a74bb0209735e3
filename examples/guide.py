"""The tour of Keras' guide on masking and padding, as a program that checks it.

    KERAS_BACKEND=jax python examples/guide.py

It goes where https://keras.io/guides/understanding_masking_and_padding/ goes,
in the same order. The four layers that the guide writes by hand are here twice:
`Guide...` does in few lines what the published one does, under a note on what
goes wrong; beside it runs the layer of `keras_masking` that has the same job.
Whatever is printed is also asserted.

A mask is boolean, `(batch, steps)`, True at a real step. A padding step between
real ones is a hole; a row without a real step is an empty row.
"""

import logging
import tempfile
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking import layers

SENTENCES = [[3, 1, 4], [1, 5], [9, 2, 6, 5, 3]]
IDS = keras.utils.pad_sequences(SENTENCES, padding="post")
TOLERANCE = 1e-6


@contextmanager
def known_warnings() -> Iterator[None]:
    """Silences what the tour itself explains, and one warning about torch."""
    with warnings.catch_warnings():
        # An LSTM uses its mask and, since Keras 3.16, hands it to nobody: see
        # section 9. The other two do not even use it: see section 10.
        lost = ".*of type (LSTM|Conv1D|GlobalMaxPooling1D).*destroy the mask"
        warnings.filterwarnings("ignore", lost)
        # A torch tensor lacks an argument that NumPy 2 asks for.
        warnings.filterwarnings("ignore", "__array__ implementation")
        yield


@known_warnings()
def numbers(x: Any) -> np.ndarray:
    """The numbers in a tensor."""
    return np.asarray(ops.convert_to_numpy(x))


@known_warnings()
def predict(model: keras.Model, inputs: Any) -> Any:
    """What the model predicts."""
    return model.predict(inputs, verbose=0)


@known_warnings()
def functional(*sequence: keras.layers.Layer) -> keras.Model:
    """A Functional model that puts ids, `(batch, steps)`, through layers."""
    x = inputs = keras.Input((None,), dtype="int32")
    for layer in sequence:
        x = layer(x)
    return keras.Model(inputs, x)


def embed(mask_zero: bool = True) -> keras.layers.Layer:
    """An embedding of ten ids, the same at every call."""
    keras.utils.set_random_seed(1)
    return keras.layers.Embedding(10, 4, "orthogonal", mask_zero=mask_zero)


def show(what: str, value: Any) -> None:
    """Prints a name and a value; a mask as 1 and 0."""
    with np.printoptions(precision=3, suppress=True):
        shown = str(value * 1 if isinstance(value, np.ndarray) else value)
    print(f"   {what}: {' '.join(shown.split())}")


def change(a: Any, b: Any) -> float:
    """The largest difference; a NaN, which passes no test, if one is there."""
    a, b = numbers(a), numbers(b)
    assert a.shape == b.shape
    return float(np.abs(a - b).max())


def judge(what: str, moved: float, keeps: bool) -> None:
    """Prints how far padding moved an output; it should where nothing keeps it."""
    show(what, f"moved by {moved:.1e}")
    assert moved < TOLERANCE if keeps else moved > 1e-3


@known_warnings()
def drift(model: keras.Model) -> float:
    """How far padding moves the predictions from those of each row alone."""
    alone = [numbers(model(np.array([row]))) for row in SENTENCES]
    padded = [
        predict(model, keras.utils.pad_sequences(SENTENCES, 25, padding=side))
        for side in ("pre", "post")
    ]
    return change(np.stack(padded), np.stack([np.concatenate(alone)] * 2))


def raises(error: type[Exception], call: Callable, *args: Any) -> bool:
    """Whether the call raises this error."""
    try:
        call(*args)
    except error:
        return True
    return False


def padding() -> None:
    """Lists of several lengths become one array, zeros before or after."""
    print("1. Padding")
    pre = keras.utils.pad_sequences(SENTENCES)
    post = keras.utils.pad_sequences(SENTENCES, padding="post")
    show('"pre", the default', pre)
    show('"post"', post)
    # Both keep the real steps and their order, and a mask says of every step
    # whether it is real: it does not mind on which side the padding stands.
    # Some fast RNN kernels of GPUs do, and want it after.
    for batch in (pre, post):
        assert [row[row != 0].tolist() for row in batch] == SENTENCES
    # Two defaults to know: `maxlen` cuts at the front, too, and the dtype is
    # int32, which takes the fractions off. Features want dtype="float32".
    assert keras.utils.pad_sequences([[9, 2, 6]], maxlen=2).tolist() == [[2, 6]]
    assert keras.utils.pad_sequences([[0.5, 1.5]]).tolist() == [[0, 1]]


def making_masks() -> None:
    """`Embedding` makes a mask from ids, `Masking` makes one from vectors."""
    print("2. Masks, and how to see them")
    mask = numbers(layers.GetMask()(embed()(IDS)))
    show("Embedding", mask)
    assert mask.dtype == bool and (mask == (IDS != 0)).all()
    # `predict` returns no masks: there, let GetMask make one more output.
    assert (predict(functional(embed(), layers.GetMask()), IDS) == mask).all()
    x = np.stack([IDS, IDS], axis=-1).astype("float32")
    x[0, 1] = 0.0  # a measurement that happens to be zero
    mask = numbers(layers.GetMask()(keras.layers.Masking()(x)))
    show("Masking, and the hole that it makes", mask)
    assert (mask == x.any(axis=-1)).all()


def propagation() -> None:
    """A mask travels by itself in Sequential and in Functional models."""
    print("3. Propagation to an LSTM")
    sequential = keras.Sequential([embed(), keras.layers.LSTM(3)])
    judge("Sequential", drift(sequential), True)
    for mask_zero in (True, False):
        model = functional(embed(mask_zero), keras.layers.LSTM(3))
        judge(f"Functional, mask_zero={mask_zero}", drift(model), mask_zero)


class ByHand(keras.Model):
    """Hands a mask from an embedding to an LSTM, past what loses it."""

    def __init__(self, hand_on: bool) -> None:
        super().__init__()
        self.embedding = embed()
        self.lstm = keras.layers.LSTM(3)
        self.hand_on = hand_on

    def call(self, ids: Any) -> Any:
        # The product is a new tensor and carries no mask. Nobody warns.
        x = self.embedding(ids) * 2.0
        mask = self.embedding.compute_mask(ids)
        return self.lstm(x, mask=mask if self.hand_on else None)


def mask_by_hand() -> None:
    """`compute_mask` gives the mask, `mask=` takes it."""
    print("4. Handing a mask on by hand")
    for hand_on in (True, False):
        judge(f"handed on: {hand_on}", drift(ByHand(hand_on)), hand_on)


# What goes wrong: it knows only halves, so an odd number of steps is an error.
class GuideSplit(keras.layers.Layer):
    """Cuts the steps, and the mask, into two halves."""

    def call(self, inputs: Any) -> Any:
        return ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else ops.split(mask, 2, axis=1)


def changing_the_mask() -> None:
    """Who changes the steps changes the mask alike: `TemporalSplit`."""
    print("5. Changing the mask")
    x = np.arange(8.0, dtype="float32").reshape(1, 4, 2)
    for theirs, ours in zip(GuideSplit()(x), layers.TemporalSplit()(x)):
        assert change(theirs, ours) == 0.0
    five = keras.Input((5, 2))
    refused = raises(ValueError, GuideSplit(), five)
    lengths = [piece.shape[1] for piece in layers.TemporalSplit()(five)]
    show("GuideSplit of 5 steps", "error" if refused else "pieces")
    show("TemporalSplit of 5 steps", lengths)
    assert refused and lengths == [3, 2]

    embedding, pool = embed(), layers.MaskedGlobalAveragePooling1D()
    inputs = keras.Input((None,), dtype="int32")
    halves = layers.TemporalSplit()(embedding(inputs))
    outputs = [f(half) for f in (layers.GetMask(), pool) for half in halves]
    *masks, left, right = predict(keras.Model(inputs, outputs), IDS)
    show("mask of the second half", masks[1])
    assert (np.concatenate(masks, axis=1) == (IDS != 0)).all()
    table = numbers(embedding.embeddings)
    assert change(left[1], table[[1, 5]].mean(axis=0)) < TOLERANCE
    assert change(right[2], table[[5, 3]].mean(axis=0)) < TOLERANCE
    assert not right[:2].any()  # its empty rows, pooled
    # Halves are halves of the padded array. Cut at a step, and what lies
    # before it stays the same with more padding after.
    cut = functional(embedding, layers.TemporalSplit([3]))
    longer = np.pad(IDS, [(0, 0), (0, 20)])
    assert change(predict(cut, IDS)[0], predict(cut, longer)[0]) == 0.0


# What goes wrong: `ops.take` without `axis` takes from the flattened table, so
# an id gives a single number in place of a vector.
class GuideEmbedding(keras.layers.Layer):
    """Looks ids up in a table, and masks the zeros."""

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(shape=(10, 2))

    def call(self, ids: Any) -> Any:
        return ops.take(self.embeddings, ids)

    def compute_mask(self, ids: Any, mask: Any = None) -> Any:
        return ops.not_equal(ids, 0)


def making_a_mask() -> None:
    """A layer that knows where padding is says so: `CustomEmbedding`."""
    print("6. Making a mask")
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
    means = functional(ours, layers.MaskedGlobalAveragePooling1D())
    assert change(predict(means, ids), np.array([[4.0, 5.0]])) < TOLERANCE


# What goes wrong: nothing until a saved model is loaded. Keras does not know
# the class then, unless `custom_objects` names it.
class GuideActivation(keras.layers.Layer):
    """Sets what is negative to 0, and lets the mask pass."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs)


def passing_the_mask() -> None:
    """A layer that treats each step alone lets it pass: `MyActivation`."""
    print("7. Passing the mask")
    for cls, loads in ((GuideActivation, False), (layers.MyActivation, True)):
        model = functional(embed(), cls(), layers.MaskedGlobalMaxPooling1D())
        table = np.maximum(numbers(model.weights[0]), 0.0)
        right = np.stack([table[row].max(axis=0) for row in SENTENCES])
        assert change(predict(model, IDS), right) < TOLERANCE
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/model.keras"
            model.save(path)
            failed = raises(TypeError, keras.saving.load_model, path)
            again = keras.saving.load_model(path, {cls.__name__: cls})
        show(f"saved {cls.__name__}", "error" if failed else "loads")
        assert failed != loads
        assert change(predict(again, IDS), right) < TOLERANCE


# What goes wrong: it divides by sums over the last axis in place of the steps;
# it exponentiates the logits as they are, and float32 ends at exp(88); padding
# steps and empty rows become 0 / 0; and without a mask it fails.
class GuideSoftmax(keras.layers.Layer):
    """Is meant to be a softmax over the real steps."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        assert mask is not None
        weights = ops.exp(inputs) * ops.cast(mask, "float32")[..., None]
        return weights / ops.sum(weights, axis=-1, keepdims=True)


def using_the_mask() -> None:
    """A layer that mixes steps needs it: `TemporalSoftmax`."""
    print("8. Using the mask")
    ids = np.array([[3, 1, 4], [1, 5, 0], [0, 0, 0]])  # the last row is empty
    logits = functional(embed(), keras.layers.Dense(1))
    theirs, ours = GuideSoftmax(), layers.TemporalSoftmax()
    wrong = predict(functional(*logits.layers[1:], theirs), ids)[..., 0]
    right = predict(functional(*logits.layers[1:], ours), ids)[..., 0]
    show("GuideSoftmax", wrong)
    show("TemporalSoftmax", right)
    # Theirs: 1 at every real step, whatever the logits, and NaN elsewhere.
    assert (wrong[ids != 0] == 1.0).all() and np.isnan(wrong[ids == 0]).all()
    # Ours: the softmax of each row alone, and 0 elsewhere.
    weights = np.exp(predict(logits, ids)[..., 0]) * (ids != 0)
    weights[:2] /= weights[:2].sum(axis=1, keepdims=True)
    assert change(right, weights) < TOLERANCE

    large = np.array([[[100.0], [101.0]]], "float32")
    mask = np.array([[True, True]])
    wrong, right = numbers(theirs(large, mask=mask)), ours(large, mask=mask)
    show("GuideSoftmax of 100 and 101", wrong.ravel())
    show("TemporalSoftmax of 100 and 101", numbers(right).ravel())
    assert np.isnan(wrong).all()
    assert change(right, np.exp(large - 101) / (1 + np.exp(-1))) < TOLERANCE
    assert raises(AssertionError, theirs, large)
    assert change(ours(large), right) == 0.0


@known_warnings()
def explicit_masks() -> None:
    """A mask may come from outside: as an argument, or as an input."""
    print("9. A mask that you hand over")
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(1).normal(size=(2, 5, 3)).astype("float32")
    real = np.array([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], bool)  # with a hole
    steps, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    first = keras.layers.LSTM(4, return_sequences=True)
    second, last = keras.layers.LSTM(3), keras.layers.LSTM(3)
    attach = layers.AttachMask()
    carrier = attach(steps, mask=mask)
    hidden = first(carrier)
    outputs = {
        "LSTM(...)(x, mask=mask)": last(steps, mask=mask),
        "AttachMask, LSTM": last(carrier),
        # Up to Keras 3.15 an RNN hands its mask on; since 3.16 it does not,
        # and AttachMask between the two keeps the promise.
        "AttachMask, LSTM, AttachMask, LSTM": second(attach(hidden, mask=mask)),
        f"AttachMask, LSTM, LSTM, Keras {keras.__version__}": second(hidden),
    }
    model = keras.Model([steps, mask], list(outputs.values()))
    rows = [
        predict(model, [x[i : i + 1, real[i]], real[i : i + 1, real[i]]])
        for i in range(2)
    ]
    keeps = [True, True, True, first.supports_masking]
    for i, padded in enumerate(predict(model, [x, real])):
        moved = change(padded, np.concatenate([row[i] for row in rows]))
        judge(list(outputs)[i], moved, keeps[i])


def the_rule() -> None:
    """The same output with more padding, before it and after it."""
    print("10. The same output with more padding")
    for prefix, home in (("", keras.layers), ("Masked", layers)):
        conv = getattr(home, f"{prefix}Conv1D")(8, 3, padding="same")
        pool = getattr(home, f"{prefix}GlobalMaxPooling1D")()
        activation, dense = layers.MyActivation("tanh"), keras.layers.Dense(3)
        model = functional(embed(), conv, activation, pool, dense)
        judge(f"{conv.name}, {pool.name}", drift(model), bool(prefix))


def main() -> None:
    """Takes the whole tour."""
    # TensorFlow notes that many small models are compiled. So they are.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    print(f"Keras {keras.__version__} on {keras.backend.backend()}")
    padding()
    making_masks()
    propagation()
    mask_by_hand()
    changing_the_mask()
    making_a_mask()
    passing_the_mask()
    using_the_mask()
    explicit_masks()
    the_rule()


if __name__ == "__main__":
    main()
