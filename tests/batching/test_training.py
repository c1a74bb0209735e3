"""Batches in `fit` and `evaluate`, on each backend."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking.batching import BucketedBatches
from keras_masking.batching import PackedBatches
from keras_masking.losses import MaskedLoss
from keras_masking.metrics import LossPerStep
from tests.helpers import assert_close

COUNT = 26
LENGTHS = np.random.default_rng(1).integers(1, 9, COUNT)
# Each sequence has an id of its own, repeated.
OWN = [np.full(n, i + 1, "int32") for i, n in enumerate(LENGTHS)]
BUCKETS: dict[str, Any] = {"buckets": 2, "batch_size": 5}


def counter() -> keras.Model:
    """A model that learns how many steps of each id it has seen, negated."""
    embedding = keras.layers.Embedding(
        COUNT + 1, 1, embeddings_initializer="zeros", mask_zero=True
    )
    model = keras.Sequential([embedding])
    model.compile(
        keras.optimizers.SGD(1.0),
        MaskedLoss(lambda _, y: y[..., 0], reduction="sum"),
    )
    return model


def steps_seen(batches: keras.utils.PyDataset, **how: Any) -> np.ndarray:
    model = counter()
    model.fit(batches, verbose=0, **how)
    return -model.get_weights()[0][1:, 0]


@pytest.mark.parametrize(
    "fit",
    [
        {"epochs": 2},
        {"epochs": 2, "shuffle": False},
        {"epochs": 6, "steps_per_epoch": 2},
    ],
    ids=["shuffled", "in order", "parts of an epoch"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["buckets", "packed"])
def test_fit_sees_each_step_once_an_epoch(packed: bool, fit: Any) -> None:
    batches = BucketedBatches(OWN, OWN, **BUCKETS)
    if packed:
        batches = PackedBatches(OWN, OWN, steps=13, batch_size=2)
    assert len(batches) == 6
    np.testing.assert_array_equal(steps_seen(batches, **fit), 2 * LENGTHS)
    assert batches.epoch == 2


def test_filled_rows_add_nothing() -> None:
    batches = BucketedBatches(OWN, OWN, fill=True, **BUCKETS)
    assert any((x == 0).all(axis=1).any() for x, *_ in batches)
    np.testing.assert_array_equal(steps_seen(batches), LENGTHS)


@pytest.mark.parametrize("packed", [False, True], ids=["buckets", "packed"])
def test_evaluate_counts_each_step_once(packed: bool) -> None:
    y = [np.linspace(0, 1, n)[:, None] for n in LENGTHS]
    batches = BucketedBatches(OWN, y, **BUCKETS)
    if packed:
        batches = PackedBatches(OWN, y, steps=13, batch_size=2)
    embedding = keras.layers.Embedding(COUNT + 1, 1, mask_zero=True)
    model = keras.Sequential([embedding])
    model.compile(loss="mae", metrics=[LossPerStep("mae")])
    model.fit(batches, validation_data=batches, epochs=1, verbose=0)
    logs = model.evaluate(batches, verbose=0, return_dict=True)
    table = model.get_weights()[0][:, 0]
    errors = [
        abs(table[i + 1] - float(target))
        for i, targets in enumerate(y)
        for target in targets[:, 0]
    ]
    assert_close(logs["loss_per_step"], np.mean(errors))


def test_a_mean_over_sequences_of_the_mean_of_each() -> None:
    y = [np.linspace(0, 1, n)[:, None] for n in LENGTHS]
    rows = PackedBatches(OWN, y, 1 / LENGTHS, steps=60, batch_size=4)
    assert len(rows) == 1
    model = keras.Sequential(
        [keras.layers.Embedding(COUNT + 1, 1, mask_zero=True)]
    )
    model.compile(loss=MaskedLoss("mae", reduction="mean_with_sample_weight"))
    found = model.evaluate(rows, verbose=0)
    table = model.get_weights()[0][:, 0]
    each = [np.mean(np.abs(table[i + 1] - t)) for i, t in enumerate(y)]
    assert_close(found, np.mean(each))


def tagger() -> keras.Model:
    """Two outputs of ids: for each step, and for each sequence."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    lengths = keras.Input((), dtype="int32", name="lengths")
    x = keras.layers.Embedding(COUNT + 1, 4)(ids)
    x = layers.LengthMask()([x, lengths])
    x = layers.MaskedConv1D(4, 3, padding="same", activation="tanh")(x)
    tags = keras.layers.Dense(1, name="tags")(x)
    kind = layers.MaskedGlobalAveragePooling1D()(x)
    kind = keras.layers.Dense(1, name="kind")(kind)
    model = keras.Model(
        {"ids": ids, "lengths": lengths}, {"tags": tags, "kind": kind}
    )
    mean = {"reduction": "mean_with_sample_weight"}
    model.compile(
        keras.optimizers.SGD(0.1),
        {"tags": MaskedLoss("mse", **mean), "kind": MaskedLoss("mse", **mean)},
    )
    return model


class OneInEachRow(keras.utils.PyDataset):
    """Packed batches, with each sequence in a row of its own."""

    def __init__(self, batches: PackedBatches) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def on_epoch_end(self) -> None:
        self.batches.on_epoch_end()

    def __getitem__(self, index: int) -> tuple:
        packed = self.batches[index]
        ids = packed[0]["ids"]
        places = []
        for r, row in enumerate(ids):
            # In the order of their first steps; each id is a sequence.
            own = sorted(set(row[row > 0]), key=row.tolist().index)
            places += [
                (r, slot, np.flatnonzero(row == i))
                for slot, i in enumerate(own)
            ]

        def unpack(key: str, array: np.ndarray) -> np.ndarray:
            once = key == "kind"
            size = (12, 1 if once else 8, *array.shape[2:])
            result = np.zeros(size, array.dtype)
            for k, (row, slot, steps) in enumerate(places):
                values = array[row, [slot] if once else steps]
                result[k, : len(values)] = values
            return result

        return tuple({k: unpack(k, v) for k, v in d.items()} for d in packed)


def packable(max_segments: int) -> keras.Model:
    """Two outputs: for each step, and for each sequence of a row."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="bool", name="mask")
    x = keras.layers.Embedding(COUNT + 1, 4)(ids)
    x = layers.AttachMask()(x, mask=mask)
    x = layers.MaskedConv1D(4, 5, padding="same", activation="tanh")(x)
    tags = keras.layers.Dense(1)(x)
    pool = layers.MaskedGlobalMaxPooling1D(max_segments=max_segments)
    kind = keras.layers.Dense(1)(pool(x))
    model = keras.Model(
        {"ids": ids, "mask": mask}, {"tags": tags, "kind": kind}
    )
    losses = {"tags": MaskedLoss("mse"), "kind": MaskedLoss("mse")}
    model.compile(keras.optimizers.SGD(0.1), losses)
    return model


def test_the_same_training_with_packed_rows() -> None:
    """The same sequences in a batch: the same weights, packed or not."""
    y = {"tags": [sequence[:, None] / 9 for sequence in OWN], "kind": LENGTHS}
    trained = []
    for max_segments in (5, 1):
        batches = PackedBatches(
            *({"ids": OWN}, y, np.linspace(0.5, 2.0, COUNT)),
            steps=22,
            batch_size=2,
            gap=2,
            max_segments=5,
            mask="mask",
        )
        keras.utils.set_random_seed(2)
        model = packable(max_segments)
        before = model.get_weights()
        given = batches if max_segments > 1 else OneInEachRow(batches)
        model.fit(given, epochs=2, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    for one, other, start in zip(*trained, before):
        assert_close(one, other)
        assert np.abs(one - start).max() > 1e-3


class PaddedFurther(keras.utils.PyDataset):
    """The batches of another dataset, all of the same shape."""

    def __init__(self, batches: Any, rows: int = 8, steps: int = 11) -> None:
        super().__init__()
        self.batches, self.rows, self.steps = batches, rows, steps

    def __len__(self) -> int:
        return len(self.batches)

    def on_epoch_end(self) -> None:
        self.batches.on_epoch_end()

    def __getitem__(self, index: int) -> tuple:
        def pad(array: np.ndarray, steps: bool) -> np.ndarray:
            sizes = [(0, self.rows - len(array))]
            if steps:
                sizes.append((0, self.steps - array.shape[1]))
            sizes += [(0, 0)] * (array.ndim - len(sizes))
            return np.pad(array, sizes)

        return tuple(
            {
                key: pad(array, key in ("ids", "tags"))
                for key, array in d.items()
            }
            for d in self.batches[index]
        )


def test_the_same_training_with_less_padding() -> None:
    """The same sequences in a batch: the same weights, however it is padded."""
    y = {"tags": [sequence[:, None] / 9 for sequence in OWN], "kind": LENGTHS}
    weights = np.linspace(0.5, 2.0, COUNT)
    trained = []
    for wrap in (lambda batches: batches, PaddedFurther):
        dataset = wrap(
            BucketedBatches(
                *({"ids": OWN}, y, weights), mask="lengths", **BUCKETS
            )
        )
        keras.utils.set_random_seed(2)
        model = tagger()
        before = model.get_weights()
        model.fit(dataset, epochs=2, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    for one, other, start in zip(*trained, before):
        assert_close(one, other)
        assert np.abs(one - start).max() > 1e-3
