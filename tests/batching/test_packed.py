"""Batches of packed rows: what is in them, compared with plain loops."""

import pickle
from typing import Any

import numpy as np
import pytest

from keras_masking.batching import PackedBatches

pytestmark = pytest.mark.once

LENGTHS = np.random.default_rng(3).integers(1, 20, 83).tolist()
# The first id of each is its number, and no other is that large.
WORDS = [
    np.r_[1000 + i, np.random.default_rng(i).integers(1, 900, n - 1)]
    for i, n in enumerate(LENGTHS)
]


def sequences_in(
    x: np.ndarray, *others: np.ndarray
) -> list[tuple[int, int, int, int]]:
    """The number, row, start and slot of each sequence in a batch."""
    return [
        (int(x[r, start]) - 1000, r, start, slot)
        for r in range(len(x))
        for slot, start in enumerate(np.flatnonzero(x[r] >= 1000))
    ]


@pytest.mark.parametrize("mask", ["ids", "mask"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_each_sequence_once_and_its_targets_with_it(
    shuffle: bool, mask: str
) -> None:
    x = {"ids": WORDS, "speaker": np.arange(83.0)}
    y = {"tags": [word % 7 for word in WORDS], "kind": np.eye(83)}
    batches = PackedBatches(
        *(x, y, np.arange(83) + 1.0),
        steps=40,
        batch_size=4,
        gap=2,
        align=2,
        max_segments=6,
        shuffle=shuffle,
        mask=mask,
        static=["speaker"],
    )
    for _ in range(4):
        seen = []
        for given, targets, weights in batches:
            ids = given["ids"]
            assert ids.shape == (4, 40)
            assert targets["tags"].shape == weights["tags"].shape == (4, 40)
            assert targets["kind"].shape == (4, 6, 83)
            assert given["speaker"].shape == weights["kind"].shape == (4, 6)
            real = np.zeros((4, 40), bool)
            for i, row, start, slot in sequences_in(ids):
                seen.append(i)
                steps = slice(start, start + LENGTHS[i])
                assert start % 2 == 0 and not ids[row, start - 2 : start].any()
                real[row, steps] = True
                assert ids[row, steps].tolist() == WORDS[i].tolist()
                tags = targets["tags"][row, steps]
                assert tags.tolist() == (WORDS[i] % 7).tolist()
                assert (weights["tags"][row, steps] == i + 1).all()
                assert weights["kind"][row, slot] == i + 1
                assert targets["kind"][row, slot].argmax() == i
                assert given["speaker"][row, slot] == i
            assert not ids[~real].any() and not weights["tags"][~real].any()
            assert (
                weights["kind"].sum()
                == targets["kind"].sum(axis=1).dot(np.arange(83) + 1).sum()
            )
            if mask == "mask":
                np.testing.assert_array_equal(given["mask"], real)
            else:
                assert list(given) == ["ids", "speaker"]
        assert sorted(seen) == list(range(83))
        batches.on_epoch_end()


@pytest.mark.parametrize("batch_size", [None, 2])
def test_rows_of_several_sizes(batch_size: int | None) -> None:
    """Each sequence in the shortest row that holds it, in every epoch."""
    sizes = [5, 10, 40, 60]
    batches = PackedBatches(
        *(WORDS, [word % 7 for word in WORDS]),
        steps=sizes,
        batch_size=batch_size,
    )
    number, shapes = len(batches), set()
    for _ in range(4):
        seen = []
        for x, y in batches:
            shapes.add(x.shape)
            for i, row, start, _ in sequences_in(x):
                seen.append(i)
                fitting = [size for size in sizes if size >= LENGTHS[i]]
                assert x.shape[1] == fitting[0]
                steps = slice(start, start + LENGTHS[i])
                assert x[row, steps].tolist() == WORDS[i].tolist()
                assert y[row, steps].tolist() == (WORDS[i] % 7).tolist()
        assert sorted(seen) == list(range(83)) and len(batches) == number
        first, second = batches[0][0], batches[1][0]
        assert first.shape[1] != second.shape[1]
        batches.on_epoch_end()
    # None is longer than 19 steps: there are no rows of 60.
    assert len(shapes) == 3 and {steps for _, steps in shapes} == {5, 10, 40}
    if batch_size:
        assert all(rows * steps <= 2 * 60 for rows, steps in shapes)
    found = {(s.rows, s.steps) for s in batches.report().shapes}
    assert found == shapes and not batches.report().advice


def test_the_number_of_batches_never_changes() -> None:
    """Keras asks for it once: of more batches it would drop the last ones."""
    for seed in range(3):
        batches = PackedBatches(WORDS, steps=20, batch_size=1, seed=seed)
        number, rows = len(batches), {len(batches.layouts)}
        for _ in range(10):
            batches.on_epoch_end()
            list(batches)
            rows.add(sum(bool(len(one.sequence)) for one in batches.layouts))
            assert len(batches) == number
            assert {x.shape for (x,) in batches} == {(1, 20)}
        assert rows == {number}
    evenly = PackedBatches(WORDS, steps=20, batch_size=7)
    real = [(x > 0).any(axis=1).sum() for (x,) in evenly]
    assert max(real) - min(real) <= 1


def test_epochs_differ_and_can_be_repeated() -> None:
    def epochs(batches: PackedBatches) -> list:
        found = []
        for _ in range(3):
            found.append([x.tolist() for (x,) in batches])
            batches.on_epoch_end()
        return found

    def make(**how: Any) -> PackedBatches:
        return PackedBatches(WORDS, steps=40, batch_size=4, **how)

    first = epochs(make())
    assert first == epochs(make(seed=0))
    assert first == epochs(pickle.loads(pickle.dumps(make())))
    assert first != epochs(make(seed=1))
    assert first[0] != first[1] != first[2]
    rows = [{tuple(r) for batch in epoch for r in batch} for epoch in first]
    assert rows[0] != rows[1]  # another plan, not the same rows
    in_order = epochs(make(shuffle=False))
    assert in_order[0] == in_order[2]


def test_batches_of_the_usual_number_of_sequences() -> None:
    batches = PackedBatches(WORDS * 4, steps=100)
    count = np.mean([len(sequences_in(x)) for (x,) in batches])
    assert 25 < count <= 36
    report = batches.report()
    assert report.batches == len(batches) and len(report.shapes) == 1
    assert report.padding < 0.2 and report.segments > 4


def test_pieces() -> None:
    batches = PackedBatches(
        WORDS, WORDS, steps=8, batch_size=4, split=True, per_step=True
    )
    found: list = []
    for x, y in batches:
        np.testing.assert_array_equal(x, y)
        found += x[x > 0].tolist()
    assert sorted(found) == sorted(np.concatenate(WORDS).tolist())
    assert batches.report().split == sum(n > 8 for n in LENGTHS)


BAD: dict[str, Any] = {
    "no slots": ({"y": LENGTHS}, "Pass the `max_segments` of the poolings"),
    "no slots for inputs": (
        {"x": (WORDS, LENGTHS), "static": [1]},
        "what a sequence has once needs a slot",
    ),
    "pieces": (
        {"y": LENGTHS, "steps": 9, "split": True, "max_segments": 2},
        "a sequence that is cut has no slot",
    ),
    "a short row": ({"steps": 18}, "Pass steps=19 or more, or split=True"),
    "sizes": ({"steps": [40, 20]}, r"sizes of rows must ascend.*\[40, 20\]"),
    "no sizes": ({"steps": []}, r"sizes of rows must ascend"),
    "a size": ({"steps": [0, 40]}, "`steps` must be an integer"),
    "short rows": ({"steps": [9, 18]}, "Pass steps=19 or more"),
    "short": ({"shortest": 3}, "`x` must be of at least 3 steps"),
    "empty": ({"x": [[1], []]}, "`x` must be of at least 1 steps.*sequence=1"),
    "lengths": ({"mask": "lengths"}, "must be one of 'ids', 'mask'"),
    "padding": ({"x": [[1, 0, 2]]}, "pad_value=0, sequence=0, step=1"),
    "gap": ({"gap": 0}, "`gap` must be an integer of at least 1"),
    "batch_size": ({"batch_size": 0}, "`batch_size` must be an integer"),
    "targets": ({"y": WORDS[1:]}, r"len\(y\)=82, sequences=83"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_data(name: str) -> None:
    given, said = BAD[name]
    with pytest.raises(ValueError, match=f"In PackedBatches: .*{said}"):
        PackedBatches(**{"x": WORDS, "steps": 40, **given})
