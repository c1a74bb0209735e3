"""The guard sees the first batch, says what was found, and changes nothing."""

import threading
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking.errors import MaskWarning
from keras_masking.inspector import MaskFindingsError
from keras_masking.inspector import MaskGuard
from keras_masking.inspector import inspection
from tests.helpers import BACKEND

pytestmark = pytest.mark.long

RNG = np.random.default_rng(0)
# Rows of unequal length; four batches of two.
REAL = np.arange(6) < RNG.integers(1, 7, (8, 1))
IDS = np.where(REAL, RNG.integers(1, 20, (8, 6)), 0).astype("int32")
TARGETS = RNG.normal(size=(8, 1)).astype("float32")
WEIGHTS = RNG.uniform(0.5, 2, 8).astype("float32")
BATCHES = 4


def sound() -> list[Any]:
    return [
        layers.MaskedConv1D(4, 3, padding="same"),
        layers.MaskedGlobalAveragePooling1D(),
    ]


class Mean(keras.layers.Layer):
    """Takes padding for steps."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return keras.ops.mean(inputs, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None


def leaky() -> list[Any]:
    return [Mean(name="leaky")]


def model(body: Callable[[], list[Any]] = sound, **options: Any) -> Any:
    made = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            keras.layers.Embedding(20, 4, mask_zero=True),
            keras.layers.Dropout(0.5),
            *body(),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(1),
        ]
    )
    made.compile("adam", "mse", **options)
    return made


class Subclassed(keras.Model):
    """With a `train_step` of its own, where there is a common one."""

    def __init__(self) -> None:
        super().__init__()
        self.body = model()
        self.stepped = 0

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self.body(inputs, training=training)

    def train_step(self, *args: Any) -> Any:
        self.stepped += 1
        return super().train_step(*args)


def subclassed() -> Any:
    made = Subclassed()
    made.compile("adam", "mse")
    return made


class Batches(keras.utils.PyDataset):
    def __init__(self, *columns: np.ndarray) -> None:
        super().__init__()
        self.columns = columns

    def __len__(self) -> int:
        return BATCHES

    def __getitem__(self, at: int) -> tuple[np.ndarray, ...]:
        return tuple(column[2 * at : 2 * at + 2] for column in self.columns)


def generator(*columns: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    batches = Batches(*columns)
    yield from [batches[at] for at in range(BATCHES)] * 2


def arrays(*columns: np.ndarray) -> dict[str, Any]:
    names = ("x", "y", "sample_weight")
    return {**dict(zip(names, columns)), "batch_size": 2}


FEEDS = {
    "arrays": arrays,
    "generator": lambda *columns: {
        "x": generator(*columns),
        "steps_per_epoch": BATCHES,
    },
    "dataset": lambda *columns: {"x": Batches(*columns)},
}
if BACKEND == "tensorflow":
    import tensorflow as tf

    FEEDS["tf.data"] = lambda *columns: {
        "x": tf.data.Dataset.from_tensor_slices(columns).batch(2)
    }
if BACKEND == "torch":
    import torch

    FEEDS["loader"] = lambda *columns: {
        "x": torch.utils.data.DataLoader(
            torch.utils.data.TensorDataset(*map(torch.tensor, columns)), 2
        )
    }
MODELS: dict[str, Callable[[], Any]] = {
    "compiled": model,
    "eager": lambda: model(run_eagerly=True),
    "subclassed": subclassed,
}
if BACKEND != "torch" or keras.version() >= "3.16":
    MODELS["steps"] = lambda: model(steps_per_execution=3)
    MODELS["uneven"] = lambda: model(steps_per_execution=2)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The inputs of each inspection, which goes on as ever."""
    inputs = []
    inspect_masks = inspection.inspect_masks

    def noting(model: Any, x: Any, **options: Any) -> Any:
        # Not beside training: that writes the weights.
        assert threading.current_thread() is threading.main_thread()
        inputs.append(x)
        return inspect_masks(model, x, **options)

    monkeypatch.setattr(inspection, "inspect_masks", noting)
    return inputs


class Losses(keras.callbacks.Callback):
    """The loss after each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])


def train(
    make: Callable[[], Any], feed: dict[str, Any], *guards: Any, epochs: int = 2
) -> tuple[Any, list[np.ndarray]]:
    """The model, and everything that its training came to."""
    keras.utils.set_random_seed(7)
    trained, losses = make(), Losses()
    trained.fit(
        callbacks=[*guards, losses],
        epochs=epochs,
        shuffle=False,
        verbose=0,
        **feed,
    )
    states = [*trained.variables, *trained.optimizer.variables]
    values = [keras.ops.convert_to_numpy(v) for v in states]
    return trained, [np.array(losses.losses), *values]


def assert_same(ours: list[np.ndarray], plain: list[np.ndarray]) -> None:
    assert len(ours) == len(plain) > 5
    for a, b in zip(ours, plain):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("feed", FEEDS)
def test_feeds(feed: str, seen: list[Any]) -> None:
    columns = (IDS, TARGETS, WEIGHTS)
    guard = MaskGuard("raise")
    guarded, ours = train(subclassed, FEEDS[feed](*columns), guard)
    bare, plain = train(subclassed, FEEDS[feed](*columns))
    assert_same(ours, plain)
    assert guarded.stepped == bare.stepped  # compiled and traced as often
    (inputs,) = seen
    np.testing.assert_array_equal(inputs, IDS[:2])
    assert guard.report.ok


@pytest.mark.parametrize("columns", [2, 3])
@pytest.mark.parametrize("kind", MODELS)
def test_models(kind: str, columns: int, seen: list[Any]) -> None:
    data = (IDS, TARGETS, WEIGHTS)[:columns]
    _, ours = train(MODELS[kind], arrays(*data), MaskGuard("raise"))
    _, plain = train(MODELS[kind], arrays(*data))
    assert_same(ours, plain)
    (inputs,) = seen
    np.testing.assert_array_equal(inputs, IDS[:2])


def test_inputs_alone(seen: list[Any]) -> None:
    def regularized() -> Any:
        more = keras.layers.ActivityRegularization(1.0)
        made = keras.Sequential([keras.Input((6,)), *model().layers, more])
        made.compile("adam")
        return made

    _, ours = train(regularized, arrays(IDS), MaskGuard("raise"))
    _, plain = train(regularized, arrays(IDS))
    assert_same(ours, plain)
    np.testing.assert_array_equal(seen[0], IDS[:2])


def test_the_parts_of_a_dict(seen: list[Any]) -> None:
    """With an explicit mask among the inputs."""
    ids = keras.Input((6,), dtype="int32", name="ids")
    mask = keras.Input((6,), dtype="bool", name="mask")
    x = keras.layers.Embedding(20, 4)(ids)
    x = layers.MaskedGlobalAveragePooling1D()(x, mask=mask)
    made = keras.Model({"ids": ids, "mask": mask}, keras.layers.Dense(1)(x))
    made.compile("adam", "mse")
    x = {"ids": IDS, "mask": IDS != 0}
    guard = MaskGuard("raise")
    made.fit(**arrays(x, TARGETS), shuffle=False, verbose=0, callbacks=[guard])
    (inputs,) = seen
    assert sorted(inputs) == ["ids", "mask"]
    for name, array in x.items():
        np.testing.assert_array_equal(inputs[name], array[:2])


@pytest.mark.parametrize(
    "options",
    [{"probe": False, "training": False}, {"probe": True, "training": True}],
)
def test_options(
    options: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = []
    inspect_masks = inspection.inspect_masks

    def noting(model: Any, x: Any, **options: Any) -> Any:
        passed.append(options)
        return inspect_masks(model, x, **options)

    monkeypatch.setattr(inspection, "inspect_masks", noting)
    guard = MaskGuard("raise", **options)
    with pytest.warns(MaskWarning, match="not measured"):  # it does not raise
        _, ours = train(model, arrays(IDS, TARGETS), guard)
    assert guard.report.state == "not measured"
    _, plain = train(model, arrays(IDS, TARGETS))
    assert_same(ours, plain)
    assert passed == [options]


def test_warns_and_trains_on(seen: list[Any]) -> None:
    guard = MaskGuard()
    with pytest.warns(MaskWarning, match="leaky"):
        _, ours = train(lambda: model(leaky), arrays(IDS, TARGETS), guard)
    _, plain = train(lambda: model(leaky), arrays(IDS, TARGETS))
    assert_same(ours, plain)
    assert not guard.report.ok
    assert len(seen) == 1


def test_raises() -> None:
    made, guard, losses = model(leaky), MaskGuard("raise"), Losses()
    options = {"shuffle": False, "verbose": 0, **arrays(IDS, TARGETS)}
    with pytest.raises(MaskFindingsError, match="leaky"):
        made.fit(callbacks=[guard, losses], **options)
    assert len(losses.losses) == 1
    assert not guard.report.ok
    made.fit(**options)
    assert all(np.isfinite(w).all() for w in made.get_weights())


def test_a_single_batch(seen: list[Any]) -> None:
    guard = MaskGuard()
    data = {"x": IDS, "y": TARGETS, "batch_size": 8}
    train(model, data, guard, epochs=1)
    assert guard.report.ok
    assert len(seen) == 1


def test_once_in_each_fit(seen: list[Any]) -> None:
    guard, made = MaskGuard(), model()
    for _ in range(2):
        made.fit(IDS, TARGETS, epochs=2, verbose=0, callbacks=[guard])
    assert len(seen) == 2


def test_not_in_a_list(seen: list[Any]) -> None:
    """Keras then runs in threads what follows a batch."""
    guard = MaskGuard("raise")
    model().fit(IDS, TARGETS, batch_size=2, verbose=0, callbacks=guard)
    assert guard.report.ok
    assert len(seen) == 1


class Ends(keras.callbacks.Callback):
    """Ends a `fit` at a given point."""

    def __init__(self, where: str) -> None:
        super().__init__()
        setattr(self, where, self.end)

    def end(self, *args: Any, **kwargs: Any) -> None:
        raise KeyError("ended")


@pytest.mark.parametrize(
    "where", ["on_epoch_begin", "on_train_batch_begin", "on_train_batch_end"]
)
@pytest.mark.parametrize("guards_again", [True, False])
def test_nothing_is_left_behind(
    where: str, guards_again: bool, seen: list[Any]
) -> None:
    made, guard = model(), MaskGuard()
    made.fit(IDS, TARGETS, verbose=0)
    function = made.train_function
    with pytest.raises(KeyError, match="ended"):
        made.fit(IDS, TARGETS, verbose=0, callbacks=[guard, Ends(where)])
    assert not seen
    if where != "on_train_batch_begin":  # there it is up to the next batch
        assert made.train_function is function
    again = [MaskGuard()] if guards_again else []
    made.fit(IDS, TARGETS, verbose=0, callbacks=again)
    assert made.train_function is function
    assert len(seen) == len(again)


def test_a_step_that_fails() -> None:
    class Failing(Subclassed):
        def train_step(self, *args: Any) -> Any:
            raise KeyError("no step")

    made = Failing()
    made.compile("adam", "mse")
    made.make_train_function()
    function = made.train_function
    with pytest.raises(KeyError, match="no step"):
        made.fit(IDS, TARGETS, verbose=0, callbacks=[MaskGuard()])
    assert made.train_function is function


@pytest.mark.parametrize("on_finding", ["warn", "raise"])
def test_an_inspection_that_fails(
    on_finding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*args: Any, **options: Any) -> Any:
        raise KeyError("no inspection")

    monkeypatch.setattr(inspection, "inspect_masks", failing)
    data, made, guard = arrays(IDS, TARGETS), model(), MaskGuard(on_finding)
    if on_finding == "raise":
        with pytest.raises(KeyError, match="no inspection"):
            made.fit(**data, verbose=0, callbacks=[guard])
    else:
        with pytest.warns(MaskWarning, match="could not inspect: KeyError"):
            made.fit(**data, verbose=0, callbacks=[guard])
        assert int(made.optimizer.iterations) == BATCHES
    assert guard.report is None


def test_what_on_finding_may_be() -> None:
    with pytest.raises(ValueError, match=r"`on_finding` must .*'error'"):
        MaskGuard("error")


if BACKEND == "tensorflow":

    def test_a_strategy_is_not_seen(seen: list[Any]) -> None:
        with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
            made = model()
        with pytest.warns(MaskWarning, match="cannot read the batches"):
            made.fit(IDS, TARGETS, verbose=0, callbacks=[MaskGuard()])
        assert not seen
