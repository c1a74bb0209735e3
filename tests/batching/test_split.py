"""`split_weights` against plain loops over the whole window."""

import math
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking.batching import split_weights
from keras_masking.losses import MaskedLoss
from tests.batching.samples import IDS
from tests.batching.samples import LENGTHS
from tests.batching.samples import LOSSES
from tests.batching.samples import REAL
from tests.batching.samples import TARGETS
from tests.batching.samples import Batches
from tests.batching.samples import cut
from tests.batching.samples import shards
from tests.batching.samples import source
from tests.helpers import TOLERANCE
from tests.helpers import assert_close

SIZES = [(2, 1, 3), (2, 2, 2), (1, 1, 1, 1, 1, 1), (6,), (3, 4)]


def mean_of_means(batches: list, replicas: int, losses: np.ndarray) -> float:
    """What accumulation over all batches and replicas makes of the losses.

    Each replica divides by its own real steps.
    """
    total, first = 0.0, 0
    for x, _, weights in batches:
        for rows in shards(len(x), replicas):
            steps = [
                (weights[b][t], losses[first + b][t])
                for b in range(rows.start, rows.stop)
                for t in range(4)
                if x[b][t] != 0
            ]
            if steps:
                total += sum(w * v for w, v in steps) / len(steps)
        first += len(x)
    return total / replicas / len(batches)


@pytest.mark.once
@pytest.mark.parametrize("replicas", [1, 2, 3, 5])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_the_mean_of_means_is_the_mean(sizes: tuple, replicas: int) -> None:
    rows = sum(sizes)
    wanted = np.mean(LOSSES[:rows][REAL[:rows]])
    seen = [*split_weights(cut(*sizes), len(sizes), replicas)]
    assert len(seen) == len(sizes)
    for (x, y, weights), (x0, y0) in zip(seen, cut(*sizes)):
        assert (x.tolist(), y.tolist()) == (x0.tolist(), y0.tolist())
        assert (weights.shape, weights.dtype) == (x.shape, np.float32)
    seen = mean_of_means(seen, replicas, LOSSES)
    assert_close(np.float32(seen), wanted)


@pytest.mark.once
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_shards_of_processes(sizes: tuple) -> None:
    """Together the processes see what replicas see, in as many batches."""
    whole = [*split_weights(cut(*sizes), len(sizes), 2)]
    parts = [
        [*split_weights(cut(*sizes), len(sizes), 2, shard=rank)]
        for rank in range(2)
    ]
    for (x, y, weights), *both in zip(whole, *parts):
        size = math.ceil(len(x) / 2)
        for rows, part in zip(shards(len(x), 2), both):
            count = rows.stop - rows.start
            for given, found in zip((x, y, weights), part):
                assert len(found) == size
                assert found[:count].tolist() == given[rows].tolist()
                assert not found[count:].any()


@pytest.mark.once
def test_the_last_window_is_completed() -> None:
    seen = [*split_weights(cut(2, 1, 3), 2)]
    assert len(seen) == 4
    assert_close(
        np.float32(mean_of_means(seen[:2], 1, LOSSES)),
        np.mean(LOSSES[:3][REAL[:3]]),
    )
    last = mean_of_means(seen[2:], 1, np.vstack([LOSSES[3:6], LOSSES[:3]]))
    assert_close(np.float32(last), np.mean(LOSSES[3:6][REAL[3:6]]))
    for x, like in zip(seen[3], (IDS[:3], TARGETS[:3], IDS[:3])):
        assert x.shape == like.shape
        assert not x.any()


@pytest.mark.once
def test_masks() -> None:
    """Every way to give the mask counts the same steps."""
    batches = cut(2, 1, 3)
    wanted = [w.tolist() for _, _, w in split_weights(batches, 3)]
    start = np.cumsum([0, 2, 1])
    features = np.where(REAL[..., None], 1 + TARGETS**2, 0)
    other = np.where(REAL, IDS, -1)
    nan = np.where(REAL[..., None], TARGETS, np.nan)
    given: list[tuple[Any, dict]] = [
        (features, {}),
        (other, {"pad_value": -1}),
        (nan, {"pad_value": math.nan}),
        ([IDS, features], {}),
        ({"x": features, "ids": IDS}, {}),
        ([features, LENGTHS], {"mask": "lengths"}),
        ({"lengths": LENGTHS, "x": features}, {"mask": "lengths"}),
        ((features, REAL), {"mask": "mask"}),
        ({"mask": REAL.astype("float32"), "x": nan}, {"mask": "mask"}),
        (nan, {"mask": lambda x, y: ~np.isnan(x[..., 0])}),
        ({"words": IDS}, {"mask": lambda x, y: x["words"] != 0}),
    ]
    rows = [slice(s, s + len(y)) for s, (_, y) in zip(start, batches)]
    for x, how in given:
        parts = [
            (keras.tree.map_structure(lambda a, r=r: a[r], x), y)
            for r, (_, y) in zip(rows, batches)
        ]
        seen = [w.tolist() for _, _, w in split_weights(parts, 3, **how)]
        assert seen == wanted


@pytest.mark.once
def test_rows_of_pooled_outputs() -> None:
    batches = [(x, y[:, 0]) for x, y in cut(2, 1, 3)]
    seen = [w.tolist() for *_, w in split_weights(batches, 3, mask=None)]
    assert seen == [[1.0] * 2, [0.5], [1.5] * 3]
    # Replicas of 1 and 1, 1 and 0, 2 and 1 rows.
    seen = [w.tolist() for *_, w in split_weights(batches, 3, 2, mask=None)]
    assert seen == [[1.0, 1.0], [1.0], [2.0, 2.0, 1.0]]


@pytest.mark.once
def test_several_outputs() -> None:
    batches = [
        (x, {"row": y[:, 0], "step": y}, {"row": x[:, 0], "step": x != 3})
        for x, y in cut(2, 1, 3)
    ]
    mask = {"row": None, "step": "ids"}
    seen = [w for *_, w in split_weights(batches, 3, mask=mask)]
    plain = split_weights(cut(2, 1, 3), 3)
    for w, (x, _, steps), factor in zip(seen, plain, (1, 0.5, 1.5)):
        assert w["row"].tolist() == (factor * x[:, 0]).tolist()
        assert w["step"].tolist() == np.where(x != 3, steps, 0).tolist()


@pytest.mark.once
def test_weights_that_are_there_are_multiplied() -> None:
    of_rows = np.arange(1.0, 7.0)
    of_steps = np.random.default_rng(2).uniform(0, 2, (6, 4))
    for given, weights in (
        (of_rows, of_rows[:, None]),
        (of_rows[:, None], of_rows[:, None]),
        (of_steps, of_steps),
        (of_steps[..., None], of_steps),
    ):
        batches = [
            (IDS[r], TARGETS[r], given[r])
            for r in (slice(0, 2), slice(2, 3), slice(3, 6))
        ]
        seen = [*split_weights(batches, 3, 2)]
        wanted = np.mean((weights * LOSSES[:6])[REAL[:6]])
        assert_close(np.float32(mean_of_means(seen, 2, LOSSES)), wanted)


@pytest.mark.parametrize("kind", ["list", "PyDataset", "generator", "library"])
def test_sources(kind: str) -> None:
    batches = cut(2, 2, 2)
    wanted = [w.tolist() for *_, w in split_weights(batches, 2)]
    seen = split_weights(source(kind, batches), 2)
    if kind != "generator":
        assert isinstance(seen, keras.utils.PyDataset)
        assert len(seen) == 4
        assert seen[0][2].tolist() == wanted[0]
    for _ in range(1 if kind == "generator" else 2):
        found = [*seen] if kind == "generator" else [seen[i] for i in range(4)]
        assert [w.tolist() for *_, w in found] == wanted
        for x, _, _ in found:
            assert type(x) is np.ndarray


@pytest.mark.once
def test_a_dataset_hears_of_epochs() -> None:
    batches = Batches(cut(2, 2, 2))
    seen = split_weights(batches, 2)
    seen.on_epoch_begin()
    seen.on_epoch_end()
    assert batches.epochs == ["begin", "end"]
    split_weights(cut(2, 2), 2).on_epoch_end()  # a list does not


@pytest.mark.once
def test_order() -> None:
    batches = cut(2, 2, 2)
    seen = split_weights(batches, 2)
    assert seen[0] and seen[1] and seen[0]  # as TensorFlow looks at shapes
    with pytest.raises(ValueError, match="Pass `shuffle=False` to `fit`"):
        seen[2]
    # A window of one batch needs no order, but a list is read in order.
    weights = [w.tolist() for *_, w in split_weights(batches, 1, 2)]
    seen = split_weights(Batches(batches), 1, 2)
    assert [seen[i][2].tolist() for i in (2, 0, 1)] == [
        weights[i] for i in (2, 0, 1)
    ]
    with pytest.raises(ValueError, match="read in order"):
        split_weights(batches, 1, 2)[2]
    # TensorFlow may start an epoch before it has finished the last one.
    seen = split_weights(batches, 1, 2)
    order = (0, 1, 0, 1, 2, 2)
    assert [seen[i][2].tolist() for i in order] == [weights[i] for i in order]


def tagger(optimizer: Any, loss: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Embedding(8, 3, mask_zero=True),
            keras.layers.Dense(2),
        ]
    )
    model.build((None, 4))
    model.compile(optimizer, loss)
    return model


@pytest.mark.parametrize("kind", ["PyDataset", "generator"])
def test_fit_takes_the_step_of_the_whole_batch(kind: str) -> None:
    """Windows of four, the second of them with two micro-batches of five."""
    loss = MaskedLoss("mse") if kind == "generator" else "mse"
    batches = cut(2, 1, 1, 2, 1)
    optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=4)
    split = tagger(optimizer, loss)
    given = split_weights(source(kind, batches), accumulate=4)
    epochs = 1 if kind == "generator" else 2
    steps = 8 if kind == "generator" else None
    split.fit(
        given, epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=0
    )
    whole = tagger(keras.optimizers.SGD(1.0), loss)
    for _ in range(epochs):
        for rows in (slice(0, 6), slice(6, 7)):
            whole.train_on_batch(IDS[rows], TARGETS[rows])
    for seen, wanted in zip(split.get_weights(), whole.get_weights()):
        assert_close(seen, wanted)
    plain = tagger(
        keras.optimizers.SGD(1.0, gradient_accumulation_steps=4), loss
    )
    for _ in range(epochs):
        for batch in (*batches, *[(IDS[5:6], TARGETS[5:6])] * 3):
            plain.train_on_batch(*batch)
    off = abs(plain.get_weights()[1] - whole.get_weights()[1]).max()
    assert off > 1e3 * TOLERANCE["float32"]


@pytest.mark.once
@pytest.mark.parametrize(
    "batches, how, rule",
    [
        ([], {"accumulate": 0}, "`accumulate` must be an integer"),
        ([], {"accumulate": 2.0}, "`accumulate` must be an integer"),
        ([], {"replicas": 0}, "`replicas` must be an integer"),
        ([], {"replicas": 2, "shard": 2}, "`shard` must be the index of one"),
        ([], {"mask": "tokens"}, "`mask` must be 'ids', 'lengths'"),
        (IDS, {}, "`batches` must be a `keras.utils.PyDataset`"),
        (7, {}, "`batches` must be a `keras.utils.PyDataset`"),
        ([IDS], {}, "batches must have targets"),
        ([(IDS, TARGETS[:2])], {}, "the same number of rows"),
        ([(IDS, TARGETS, IDS, IDS)], {}, "a batch must be"),
        ([(IDS, TARGETS[:, 0, 0])], {}, "must have an axis of steps"),
        ([(IDS, TARGETS)], {"mask": "lengths"}, "is not among the inputs"),
        (
            [({"words": IDS}, TARGETS)],
            {},
            r"mask='ids' is not among the inputs. Received: inputs=\['words'\]",
        ),
        (
            [({"mask": IDS}, TARGETS)],
            {"mask": "mask"},
            "a mask must be boolean",
        ),
        (
            [({"lengths": -LENGTHS}, TARGETS)],
            {"mask": "lengths"},
            "lengths must be whole numbers",
        ),
        ([(LENGTHS, TARGETS)], {}, "ids must be numbers of shape"),
        (
            [(IDS, TARGETS)],
            {"mask": lambda x, y: x[:2] != 0},
            "the mask must have as many rows",
        ),
        ([(IDS, TARGETS, IDS[:, :3])], {}, "`sample_weight` must be"),
        ([(IDS, TARGETS, [IDS, IDS])], {}, "weights for each output"),
        ([(IDS, TARGETS)], {"mask": [None, "ids"]}, "the structure of"),
    ],
)
def test_errors(batches: Any, how: dict, rule: str) -> None:
    with pytest.raises(ValueError, match=f"In split_weights: .*{rule}"):
        [*split_weights(batches, **how)]


@pytest.mark.once
def test_a_source_that_ends_early() -> None:
    class Once(list):
        def __iter__(self) -> Any:
            return iter([self[0]])

    seen = split_weights(Once(cut(2, 2)), 1)
    assert seen[0]
    with pytest.raises(ValueError, match="as many batches as"):
        seen[1]
