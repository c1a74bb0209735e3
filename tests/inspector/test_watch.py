"""An inspection leaves no trace, and a model that fails is reported."""

import threading
import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as kl

from keras_masking import inspect_masks
from keras_masking._keras import get_mask
from keras_masking.errors import NotMeasuredError
from keras_masking.inspector.watching.patching import watching
from keras_masking.inspector.watching.watch import Watch
from keras_masking.layer_calls import new_masked_tensor
from tests.inspector import gallery

IDS = gallery.IDS
PATCHED = (keras.layers.Layer, keras.Operation)


@pytest.fixture(autouse=True)
def no_trace() -> Any:
    before = [vars(owner)["__call__"] for owner in PATCHED]
    yield
    assert [vars(owner)["__call__"] for owner in PATCHED] == before


def with_state() -> keras.Model:
    """Statistics, seeds, penalties, and states of a recurrent layer."""
    ids = keras.Input((6,), dtype="int32", batch_size=3)
    x = kl.Embedding(10, 8, mask_zero=True)(ids)
    x = kl.BatchNormalization()(x)
    x = kl.Dropout(0.5)(x)
    x = kl.ActivityRegularization(0.1)(x)
    x = kl.GRU(4, stateful=True)(x)
    return keras.Model(ids, x)


def _train(model: keras.Model) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*destroy the mask")
        model(IDS, training=True)


@pytest.mark.parametrize("training", [False, True])
def test_the_state_is_as_before(training: bool) -> None:
    model = gallery.build(with_state)
    _train(model)
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]
    penalties = len(model.losses)
    report = inspect_masks(model, IDS, training=training)
    assert report.state == ("not measured" if training else "clean")
    after = [keras.ops.convert_to_numpy(v) for v in model.variables]
    assert len(before) == len(after)
    for a, b in zip(before, after):
        np.testing.assert_array_equal(a, b)
    assert len(model.losses) == penalties
    for layer in model.layers:
        assert "call" not in vars(layer)


def test_in_training_the_state_would_have_moved() -> None:
    model = gallery.build(with_state)
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]
    _train(model)
    after = [keras.ops.convert_to_numpy(v) for v in model.variables]
    assert any((a != b).any() for a, b in zip(before, after))


def test_the_masks_of_the_inputs_stay() -> None:
    x = new_masked_tensor(np.ones((3, 6, 8), "float32"), IDS != 0)
    heard = keras.Input((None, 8))
    attention = kl.MultiHeadAttention(2, 4)
    model = keras.Model(heard, attention(heard, heard))
    inspect_masks(model, x)
    mask = get_mask(x)
    assert mask is not None
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(mask), IDS != 0)
    with pytest.warns(UserWarning, match="destroy the mask"):
        model(x)  # Keras alone deletes it
    assert get_mask(x) is None


def test_a_watch_that_raises_leaves_nothing() -> None:
    with pytest.raises(KeyError), watching(Watch()):
        raise KeyError
    # `no_trace` looks at the rest


def test_other_threads_go_straight_through() -> None:
    dense = kl.Dense(3)
    dense(np.ones((1, 2)))
    seen = Watch()

    def other() -> None:
        dense(np.ones((1, 2)))

    with watching(seen):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert seen.root is None
        dense(keras.ops.ones((1, 2)))
    assert seen.root is not None


def test_two_threads_inspect_at_once() -> None:
    found: dict[str, list[str]] = {}
    models = {"a": gallery.operator(), "b": gallery.our_convolutions()}

    def inspect(name: str) -> None:
        report = inspect_masks(models[name], IDS)
        found[name] = [call.verdict for call in report.findings]

    threads = [threading.Thread(target=inspect, args=(n,)) for n in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"a": ["drops"], "b": []}


def test_a_cell_is_one_record() -> None:

    def loop() -> keras.Model:
        ids, x = gallery.tokens()
        return keras.Model(ids, kl.RNN(kl.LSTMCell(3))(x))

    model = gallery.build(loop)
    cells = [
        call
        for call in inspect_masks(model, IDS).calls
        if call.type == "LSTMCell"
    ]
    assert len(cells) <= 1


class Fails(kl.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        raise RuntimeError("not today")

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def test_a_model_that_fails_in_the_middle() -> None:
    ids, x = gallery.tokens()
    x = Fails(name="fails")(kl.Dense(3, name="first")(x))
    report = inspect_masks(keras.Model(ids, kl.Dense(2)(x)), IDS)
    names = [call.name for call in report.calls]
    assert names[1:] == ["tokens", "first", "fails"]
    assert "RuntimeError: not today" in report.error
    assert not report.findings  # it fails without a mask, too
    assert not report.ok
    assert report.state == "failed"
    with pytest.raises(NotMeasuredError, match="not today"):
        report.raise_for_findings()


def test_other_warnings_come_through() -> None:
    class Warns(kl.Layer):
        def call(self, inputs: Any) -> Any:
            warnings.warn("by the way", stacklevel=2)
            return inputs

    model = gallery.InOrder([kl.Dense(2), Warns()])
    with pytest.warns(UserWarning, match="by the way"):
        model(np.ones((2, 3)))  # built
    with pytest.warns(UserWarning, match="by the way") as caught:
        inspect_masks(model, np.ones((2, 3)))
    assert sum("by the way" in str(w.message) for w in caught) == 1


def test_keras_warnings_are_kept_back() -> None:
    model = gallery.build(gallery.nested)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*destroy the mask")
        inspect_masks(model, IDS)


def test_random_layers_are_not_blamed() -> None:
    ids, x = gallery.tokens()
    x = kl.GaussianNoise(0.5)(kl.Dropout(0.5)(x))
    report = inspect_masks(gallery.pooled(ids, x), IDS, training=True)
    assert not report.findings
    assert report.missing == [
        "In training mode the model is not run with more or less padding."
    ]


class NoSeed(kl.Layer):
    """Other numbers at each call, from a seed that Keras does not know."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.rng = np.random.default_rng(0)

    def call(self, inputs: Any) -> Any:
        return inputs + self.rng.normal()

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def test_what_gives_other_numbers_each_time_is_not_measured() -> None:
    ids, x = gallery.tokens()
    report = inspect_masks(gallery.pooled(ids, NoSeed(name="noise")(x)), IDS)
    (noise,) = [call for call in report.calls if call.name == "noise"]
    assert "its outputs are random" in noise.reason
    assert noise.moved is None
    assert not noise.finding


def test_threads_give_warnings_back() -> None:
    filters, shown = list(warnings.filters), warnings.showwarning
    model = gallery.build(gallery.convolution)
    begun, go_on = threading.Event(), threading.Event()

    def other() -> None:
        with watching(Watch()):
            begun.set()
            go_on.wait(10)

    thread = threading.Thread(target=other)
    with watching(Watch()):
        thread.start()
        begun.wait(10)
    inspect_masks(model, IDS)
    go_on.set()
    thread.join()
    assert (warnings.filters, warnings.showwarning) == (filters, shown)
    with pytest.warns(UserWarning, match="still shown"):
        warnings.warn("still shown", stacklevel=1)


def test_a_layer_that_is_never_called_changes_nothing() -> None:
    class Spare(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.table = kl.Embedding(10, 4)
            self.gru = kl.GRU(4, stateful=True)
            self.spare = kl.Dense(3)

        def call(self, inputs: Any) -> Any:
            self.add_loss(keras.ops.sum(inputs))
            return self.gru(self.table(inputs))

    model = Spare()
    model(IDS)
    before = [keras.ops.convert_to_numpy(s) for s in model.gru.states]
    before = [np.array(s) for s in before]
    losses = [float(x) for x in model.losses]
    inspect_masks(model, IDS)
    for a, b in zip(before, model.gru.states):
        np.testing.assert_array_equal(a, keras.ops.convert_to_numpy(b))
    assert [float(x) for x in model.losses] == losses
