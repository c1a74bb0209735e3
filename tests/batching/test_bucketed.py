"""Batches of buckets: what is in them, compared with plain loops."""

import pickle
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking.batching import BucketedBatches
from keras_masking.batching import bucket_edges

pytestmark = pytest.mark.once


def ids_of(lengths: list[int], seed: int = 0) -> list[np.ndarray]:
    """Sequences of ids of at least 1, the first id of each its number."""
    rng = np.random.default_rng(seed)
    found = [rng.integers(1, 900, n).astype("int32") for n in lengths]
    for i, sequence in enumerate(found):
        sequence[:1] = i + 1000
    return found


LENGTHS = np.random.default_rng(3).integers(1, 30, 83).tolist()
WORDS = ids_of(LENGTHS)


def padded(sequence: Any, steps: int, padding: str, value: Any = 0) -> list:
    """One row by plain lists."""
    row = np.asarray(sequence).tolist()
    empty = value
    if np.ndim(sequence) > 1:
        empty = [value] * len(row[0])
    more = [empty] * (steps - len(row))
    return row + more if padding == "post" else more + row


@pytest.mark.parametrize("fill", [False, True])
@pytest.mark.parametrize("padding", ["post", "pre"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_each_sequence_once(shuffle: bool, padding: str, fill: bool) -> None:
    tags = [sequence % 7 for sequence in WORDS]
    batches = BucketedBatches(
        WORDS,
        y=tags,
        batch_size=8,
        buckets=4,
        shuffle=shuffle,
        padding=padding,
        fill=fill,
    )
    edges = bucket_edges(LENGTHS, 4)
    assert batches.edges == edges
    for _ in range(4):
        seen = []
        for x, y, *weights in batches:
            steps = x.shape[1]
            assert steps in edges
            assert x.dtype == "int32"
            assert len(x) <= 8
            for r, row in enumerate(x.tolist()):
                if not any(row):
                    assert fill
                    assert not y[r].any() and not weights[0][r].any()
                    continue
                (first,) = [one for one in row if one >= 1000]
                i = first - 1000
                seen.append(i)
                assert row == padded(WORDS[i], steps, padding)
                assert y[r].tolist() == padded(tags[i], steps, padding)
                if fill:
                    ones = [1.0] * LENGTHS[i]
                    assert weights[0][r].tolist() == padded(
                        ones, steps, padding
                    )
        assert sorted(seen) == list(range(83))
        batches.on_epoch_end()


def test_few_shapes() -> None:
    for count in (1, 2, 7, 31, 32, 33, 83):
        for fill in (False, True):
            words = WORDS[:count]
            batches = BucketedBatches(
                words, words, batch_size=4, fill=fill, per_step=True
            )
            shapes = {batch[0].shape for batch in batches}
            assert len(shapes) <= len(batches.edges) + (not fill)
            numbers = {len(batches)}
            for _ in range(3):
                batches.on_epoch_end()
                assert {batch[0].shape for batch in batches} == shapes
                numbers.add(len(batches))
            assert len(numbers) == 1
            # No batch is nearly empty.
            assert count < 7 or min(len(x) for x, *_ in batches) >= 2


def test_two_lengths_come_first() -> None:
    for seed in range(5):
        batches = BucketedBatches(WORDS, batch_size=8, seed=seed)
        for _ in range(5):
            assert batches[0][0].shape[1] != batches[1][0].shape[1]
            assert all(len(x) for (x,) in batches)
            batches.on_epoch_end()
    in_order = BucketedBatches(WORDS, batch_size=8, shuffle=False)
    assert in_order[0][0].shape[1] != in_order[1][0].shape[1]
    # One length only.
    same = BucketedBatches(ids_of([5] * 9), batch_size=4)
    assert [x.shape for (x,) in same] == [(3, 5)] * 3


def epochs(batches: BucketedBatches, number: int = 3) -> list:
    """The numbers of the sequences, batch by batch and epoch by epoch."""
    found = []
    for _ in range(number):
        found.append([sorted(x[:, 0] - 1000) for (x,) in batches])
        batches.on_epoch_end()
    return found


def test_epochs_differ_and_can_be_repeated() -> None:
    def make(seed: int, **how: Any) -> BucketedBatches:
        return BucketedBatches(WORDS, batch_size=8, seed=seed, **how)

    first = epochs(make(0))
    assert first == epochs(make(0))
    assert first == epochs(pickle.loads(pickle.dumps(make(0))))
    assert first != epochs(make(1))
    assert first[0] != first[1] != first[2]
    # Not the same batches in another order either.
    assert sorted(first[0]) != sorted(first[1])
    in_order = epochs(make(0, shuffle=False))
    assert in_order[0] == in_order[1] == epochs(make(1, shuffle=False))[2]


def test_an_epoch_ends_when_all_is_handed_out() -> None:
    """Keras says so too early, see `Epochs.on_epoch_end`."""
    batches = BucketedBatches(WORDS, batch_size=8)
    order = [x[:, 0].tolist() for (x,) in batches]
    batches = BucketedBatches(WORDS, batch_size=8)
    _ = batches[0]
    batches.on_epoch_end()
    assert [x[:, 0].tolist() for (x,) in batches] == order
    assert [x[:, 0].tolist() for (x,) in batches] == order  # by hand, again
    batches.on_epoch_end()
    assert [x[:, 0].tolist() for (x,) in batches] != order


def test_a_budget_of_steps() -> None:
    batches = BucketedBatches(WORDS, steps_per_batch=64, buckets=4)
    for (x,) in batches:
        assert x.size <= 64
        # The budget is used, but for an even distribution.
        assert len(x) > 64 // x.shape[1] / 2 or x.shape[1] == 29
    both = BucketedBatches(WORDS, steps_per_batch=64, batch_size=3, buckets=4)
    assert max(len(x) for (x,) in both) == 3
    # Edges that are given, also such that nobody needs.
    given = BucketedBatches(WORDS, edges=[10, 30, 99], batch_size=4)
    assert given.edges == [10, 30]
    assert {x.shape[1] for (x,) in given} == {10, 30}
    # No more buckets than full batches.
    assert len(BucketedBatches(WORDS).edges) == 2
    strided = BucketedBatches(WORDS, batch_size=8, multiple_of=4)
    assert {x.shape[1] % 4 for (x,) in strided} == {0}


@pytest.mark.parametrize("mask", ["ids", "lengths", "mask"])
def test_several_inputs(mask: str) -> None:
    features = [np.float64(w)[:, None] * [1, -1] for w in WORDS]
    x = {
        "ids": np.array(WORDS, object),
        "features": features,
        "age": np.arange(83.0),
    }
    y = {"tags": WORDS, "kind": np.eye(83, dtype="int8")}
    weight = np.arange(83.0) + 1
    batches = BucketedBatches(
        *(x, y, weight), batch_size=8, mask=mask, static=["age"]
    )
    pairs = BucketedBatches(
        *(tuple(x.values()), tuple(y.values()), (weight, weight)),
        batch_size=8,
        mask=mask,
        static=[2],
    )
    for batch, pair in zip(batches, pairs, strict=True):
        for a, b in zip(batch, pair, strict=True):
            assert isinstance(b, tuple)
            for one, other in zip(a.values(), b, strict=True):
                np.testing.assert_array_equal(one, other)
        given, targets, weights = batch
        length = np.count_nonzero(given["ids"], axis=1)
        which = given["ids"][:, 0] - 1000
        steps = given["ids"].shape[1]
        assert given["features"].dtype == given["age"].dtype == "float32"
        assert given["age"].tolist() == which.tolist()
        for r, i in enumerate(which):
            expected = padded(features[i], steps, "post", 0)
            assert given["features"][r].tolist() == expected
            assert targets["kind"][r].tolist() == np.eye(83)[i].tolist()
            assert weights["kind"][r] == i + 1
            spread = padded([i + 1] * LENGTHS[i], steps, "post")
            assert weights["tags"][r].tolist() == spread
        real = np.arange(steps) < length[:, None]
        if mask == "ids":
            assert list(given) == list(x)
        else:
            assert list(given) == [*x, mask]
            expected = real if mask == "mask" else length
            assert given[mask].dtype == ("bool" if mask == "mask" else "int32")
            np.testing.assert_array_equal(given[mask], expected)


def test_one_input_and_a_mask() -> None:
    batches = BucketedBatches(
        [[5.0], [6.0, np.inf]], mask="mask", pad_value=np.nan, batch_size=2
    )
    ((x, mask),) = batches[0]
    assert sorted(mask.tolist()) == [[True, False], [True, True]]
    np.testing.assert_array_equal(np.isnan(x), ~mask)


def test_weights_of_steps_and_of_filled_rows() -> None:
    words, fill = WORDS[:5], {"batch_size": 2, "fill": True, "buckets": 1}
    steps = [word / 1000 for word in words]
    batches = BucketedBatches(words, words, steps, **fill)
    for x, _, weight in batches:
        np.testing.assert_allclose(weight, x / 1000)
    batches = BucketedBatches(words, np.arange(5), **fill)
    rows = [(x[:, 0] - 1000, y, weight) for x, y, weight in batches]
    ids, y, weight = (np.concatenate(one) for one in zip(*rows))
    assert (weight == (ids >= 0)).all() and weight.tolist().count(0) == 1
    np.testing.assert_array_equal(y[ids >= 0], ids[ids >= 0])
    assert [len(batch) for batch in BucketedBatches(words, **fill)] == [1] * 3


def test_empty_sequences() -> None:
    words = [[5, 4], [], [3], []]
    with pytest.raises(ValueError, match="sequence=1, sequences=2 of 4"):
        BucketedBatches(words)
    batches = BucketedBatches(
        words, y=[1, 2, 3, 4], empty="keep", shuffle=False
    )
    ((x, y),) = batches
    assert x.tolist() == [[5, 4], [0, 0], [3, 0], [0, 0]]
    assert y.tolist() == [1, 2, 3, 4]
    report = batches.report()
    assert report.empty == 2 and "2 sequences are empty rows" in str(report)


def test_the_report() -> None:
    batches = BucketedBatches(WORDS, batch_size=8, buckets=4)
    report = batches.report()
    shapes = [x.shape for (x,) in batches]
    steps = sum(rows * steps for rows, steps in shapes)
    assert report.batches == len(batches) == len(shapes)
    assert {(s.rows, s.steps) for s in report.shapes} == set(shapes)
    for one in report.shapes:
        assert one.batches == shapes.count((one.rows, one.steps))
        same = [x for (x,) in batches if x.shape == (one.rows, one.steps)]
        assert abs(one.padding - np.mean(np.stack(same) == 0)) < 1e-12
        assert one.sequences == sum(len(x) for x in same)
    assert report.padding == 1 - sum(LENGTHS) / steps
    assert report.padding_before == 1 - sum(LENGTHS) / 83 / max(LENGTHS)
    text = str(report)
    assert f"padding: {report.padding:.1%} of the steps, " in text
    assert f" {report.padding_before:.1%} if all are padded" in text
    assert max(map(len, text.splitlines())) < 90
    one = BucketedBatches(WORDS, batch_size=8, buckets=1).report()
    assert one.advice[0].startswith("buckets=2 would leave")
    alike = BucketedBatches(ids_of([99, 100] * 20), batch_size=8).report()
    assert alike.advice[0].startswith("buckets=1 would do: 0.5% padding")


BAD = {
    "no sequence": ({"x": []}, "`x` must hold at least one sequence"),
    "a generator": ({"x": iter(WORDS)}, "must be a list or an array"),
    "a sequence": ({"x": [1, 2, 3]}, r"ids \(steps,\) or features"),
    "words": ({"x": [["a", "b"]]}, "StringLookup"),
    "ragged features": ({"x": [[[1], [2, 3]]]}, "inhomogeneous"),
    "features": (
        {"x": [np.ones((3, 2)), np.ones((3, 4))]},
        r"sequence=1, shape=\(3, 4\), first_shape=\(3, 2\)",
    ),
    "a list of inputs": (
        {"x": {"a": WORDS, "b": WORDS[:9]}},
        r"`x\['b'\]` must have one entry .* len\(x\['b'\]\)=9, sequences=83",
    ),
    "steps of inputs": (
        {"x": (WORDS, [w[:3] for w in WORDS])},
        "all inputs of a sequence must have the same number of steps",
    ),
    "static": ({"x": {"a": WORDS}, "static": ["b"]}, "`static` must name"),
    "all static": ({"x": {"a": WORDS}, "static": ["a"]}, "but not all"),
    "taken": (
        {"x": {"mask": WORDS}, "mask": "mask"},
        "the input 'mask', a name that is taken",
    ),
    "padding": (
        {"x": [[1, 2], [3, 0, 1]]},
        "pad_value=0, sequence=1, step=1",
    ),
    "padding of features": (
        {"x": [[[1, 0], [0, 0]]]},
        "pad_value=0, sequence=0, step=1",
    ),
    "pad_value": (
        {"x": [np.ones(3, "uint8")], "pad_value": -1},
        "pad_value=-1, dtype=uint8",
    ),
    "NaN": ({"x": WORDS, "pad_value": np.nan}, "pad_value=nan, dtype=int32"),
    "NaN ids": ({"x": [[1.0, np.nan]]}, "sequence=0, step=1"),
    "targets": ({"y": WORDS[:9]}, r"len\(y\)=9, sequences=83"),
    "target of another length": (
        {"y": [*WORDS[:82], WORDS[82][1:]]},
        "`y` must have one entry for each step.*sequence=82",
    ),
    "ambiguous": (
        {"x": np.ones((4, 3), int), "y": np.ones((4, 3))},
        "Pass per_step=True or per_step=False",
    ),
    "targets of sequences": (
        {"y": [[1, 2]] * 82 + [[1]], "per_step": False},
        "numbers, of the same shape",
    ),
    "weights without targets": ({"sample_weight": LENGTHS}, "Pass `y` too"),
    "weights": (
        {"y": LENGTHS, "sample_weight": LENGTHS[:9]},
        r"len\(sample_weight\)=9, sequences=83",
    ),
    "weights of steps": (
        {"y": LENGTHS, "sample_weight": WORDS},
        "one weight for each sequence, or for each step if",
    ),
    "weights of other steps": (
        {"y": WORDS, "sample_weight": [w[:1] for w in WORDS]},
        "`sample_weight` must have one entry for each step",
    ),
    "weights of other targets": (
        {"y": {"a": LENGTHS}, "sample_weight": {"b": LENGTHS}},
        "one for all targets, or like `y`",
    ),
    "edges": ({"edges": [10, 20]}, "last_edge=20, sequence="),
    "edges that fall": ({"edges": [30, 20]}, "`edges` must ascend"),
    "an edge of 0": ({"edges": [0, 30]}, "`edges` must be of at least 1"),
    "steps_per_batch": (
        {"steps_per_batch": 28},
        "Pass steps_per_batch=29 or more",
    ),
    "batch_size": ({"batch_size": 0}, "`batch_size` must be an integer"),
    "buckets": ({"buckets": 0}, "`buckets` must be an integer of at least 1"),
    "seed": ({"seed": -1}, "`seed` must be an integer of at least 0"),
    "choice": ({"mask": "values"}, "must be one of 'ids', 'lengths', 'mask'"),
    "side": ({"padding": "left"}, "`padding` must be one of 'post', 'pre'"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data(name: str) -> None:
    given, said = BAD[name]
    with pytest.raises(ValueError, match=said):
        BucketedBatches(**{"x": WORDS, **given})


def test_data_that_look_bad_and_are_not() -> None:
    zero = [[1, 2], [3, 0, 1]]
    BucketedBatches(zero, pad_value=-1)
    BucketedBatches(zero, mask="lengths")
    # The features say which step is real, if the ids don't.
    BucketedBatches({"tags": zero, "words": [[1, 2], [3, 4, 1]]})
    BucketedBatches([[[1.0, np.nan]]])
    dense = np.ones((4, 3), int)
    (_, y), *_ = BucketedBatches(dense, dense * 2, per_step=True)
    assert y.tolist() == [[2, 2, 2]] * 4
    small = [np.full(n, 255, "uint8") for n in (255, 250, 256)]
    (x,) = BucketedBatches(small, batch_size=3, shuffle=False)[0]
    assert x.sum(axis=1).tolist() == [255 * n for n in (255, 250, 256)]
    tensors = [keras.ops.ones(3, "int32"), keras.ops.ones(2, "int32")]
    (x,) = BucketedBatches(tensors, batch_size=3, shuffle=False)[0]
    assert x.tolist() == [[1, 1, 1], [1, 1, 0]]
