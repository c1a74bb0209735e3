"""Packed rows: nothing is lost, nothing touches, compared by plain loops."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking.batching import Packing
from keras_masking.batching import pack

pytestmark = pytest.mark.once

LENGTHS = np.random.default_rng(5).integers(1, 21, 60).tolist()
ROOMS = {
    "plain": {},
    "a gap": {"gap": 4},
    "aligned": {"align": 4},
    "gap and aligned": {"gap": 3, "align": 4},
    "two a row": {"max_segments": 2},
    "decreasing": {"order": "decreasing"},
    "given": {"order": "given"},
    "cut": {"steps": 8, "split": True},
    "cut, aligned": {"steps": 9, "split": True, "gap": 2, "align": 2},
}
NUMBERS = [np.arange(n) + 100 * (i + 1) for i, n in enumerate(LENGTHS)]


def planned(name: str) -> Packing:
    return pack(LENGTHS, **{"steps": 32, **ROOMS[name]})


def runs_of(row: np.ndarray) -> list[tuple[int, list]]:
    """The start and the values of each run of numbers above 0."""
    runs: list[tuple[int, list]] = []
    before = 0
    for i, value in enumerate(row.tolist()):
        if value > 0:
            if before == 0:
                runs.append((i, []))
            runs[-1][1].append(value)
        before = value
    return runs


@pytest.mark.parametrize("name", ROOMS)
def test_each_sequence_is_a_run_of_its_own(name: str) -> None:
    plan, room = planned(name), ROOMS[name]
    gap, align = room.get("gap", 1), room.get("align", 1)
    x = plan.pack(NUMBERS)
    assert x.shape == (plan.rows, plan.steps)
    found: dict[int, list] = {}
    for r, row in enumerate(x):
        end = -gap
        runs = runs_of(row)
        assert 1 <= len(runs) <= plan.max_segments
        for number, (start, values) in enumerate(runs):
            assert start >= end + gap and start % align == 0
            end = start + len(values)
            found.setdefault(values[0] // 100 - 1, []).append(values)
            assert plan.mask[r, start:end].all()
            assert (plan.segment_ids[r, start:end] == number + 1).all()
            expected = list(range(len(values)))
            assert plan.position_ids[r, start:end].tolist() == expected
            assert plan.segment_mask[r, number]
        assert plan.segment_mask[r].sum() == len(runs)
    assert plan.mask.sum() == sum(LENGTHS)
    for i, sequence in enumerate(NUMBERS):
        pieces = sorted(found.pop(i))
        assert [v for piece in pieces for v in piece] == sequence.tolist()
        assert len(pieces) == (-(-LENGTHS[i] // plan.steps))
    assert not found
    assert not plan.segment_ids[~plan.mask].any()
    back = plan.unpack(x)
    assert [y.tolist() for y in back] == [one.tolist() for one in NUMBERS]


@pytest.mark.parametrize("name", [n for n in ROOMS if "cut" not in n])
def test_slots(name: str) -> None:
    plan = planned(name)
    x, y = plan.pack(NUMBERS), plan.pack(np.arange(60) + 1)
    assert y.shape == (plan.rows, plan.max_segments)
    for row, slots in zip(x, y):
        runs = runs_of(row)
        expected = [values[0] // 100 for _, values in runs]
        expected += [0] * (plan.max_segments - len(runs))
        assert slots.tolist() == expected
    features = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
    pooled = plan.pack(features)
    assert pooled.shape == (plan.rows, plan.max_segments, 3)
    np.testing.assert_array_equal(plan.unpack(pooled), features)


def rows_by_trying(lengths: list[int], steps: int, gap: int, align: int) -> int:
    """The rows of the same rule, by lists of free steps and plain loops."""
    starts: list[int] = []  # where the next sequence of a row may start
    for length in lengths:
        fitting = [s for s in starts if s + length <= steps]
        start = max(fitting, default=0)
        if fitting:
            starts.remove(start)
        end = start + length + gap
        while end % align:
            end += 1
        starts.append(end)
    return len(starts)


@pytest.mark.parametrize("gap, align", [(1, 1), (3, 1), (1, 4), (5, 3)])
@pytest.mark.parametrize("steps", [20, 21, 50])
def test_the_best_fit(steps: int, gap: int, align: int) -> None:
    how: Any = {"steps": steps, "gap": gap, "align": align}
    plan = pack(LENGTHS, order="given", **how)
    assert plan.rows == rows_by_trying(LENGTHS, **how)
    falling = sorted(LENGTHS, reverse=True)
    plan = pack(LENGTHS, order="decreasing", **how)
    assert plan.rows == rows_by_trying(falling, **how)


def test_orders() -> None:
    def starts(**how: Any) -> list:
        return pack(LENGTHS, 32, **how).layout.row.tolist()

    assert starts() == starts(seed=0) != starts(seed=1)
    assert starts(order="given") == starts(order="given", seed=1)


def test_many_sequences_with_little_padding() -> None:
    lengths = np.random.default_rng(0).lognormal(4.6, 0.6, 20_000)
    lengths = np.clip(lengths.astype("int64") + 1, 1, 512)
    report = pack(lengths, 512).report()
    assert report.padding < 0.04 < 0.7 < report.padding_before
    falling = pack(lengths, 512, order="decreasing").report()
    assert falling.padding < report.padding
    assert falling.segments > report.segments


def test_small_integers() -> None:
    """255 + 1 is 0 in uint8."""
    lengths = np.array([255, 250, 3, 255], "uint8")
    plan = pack(lengths, 256)
    assert plan.rows == 3
    assert [len(one) for one in plan.unpack(plan.mask)] == lengths.tolist()
    assert all(one.all() for one in plan.unpack(plan.mask))


def test_what_stands_at_padding() -> None:
    plan = pack([2, 1], 5, order="given")
    x = plan.pack([[[1.0], [2.0]], [[3.0]]], pad_value=np.nan)
    np.testing.assert_array_equal(
        x[0, :, 0], np.array([1, 2, np.nan, 3, np.nan])
    )
    assert plan.pack([[5, 6], [7]], -1).tolist() == [[5, 6, -1, 7, -1]]


def test_the_report() -> None:
    plan = planned("plain")
    report = plan.report()
    assert report.padding == 1 - sum(LENGTHS) / (plan.rows * 32)
    assert report.segments == plan.max_segments
    assert f"up to {plan.max_segments} sequences in a row" in str(report)
    assert "buckets leave" in report.advice[0]
    cut = planned("cut").report()
    longer = sum(n > 8 for n in LENGTHS)
    assert cut.split == longer
    assert f"{longer} sequences are cut into pieces" in str(cut)
    assert not pack([5, 6], 6).report().advice  # one in each row


BAD: dict[str, Any] = {
    "nothing": ({"lengths": []}, r"shape=\(0,\)"),
    "an empty sequence": ({"lengths": [3, 0]}, "steps=0, sequence=1"),
    "a short row": ({"steps": 19}, "Pass steps=20 or more, or split=True"),
    "short sequences": ({"shortest": 3}, "must be of at least 3 steps"),
    "no gap": ({"gap": 0}, "`gap` must be an integer of at least 1: padding"),
    "align": ({"align": 0}, "`align` must be an integer"),
    "steps": ({"steps": 2.5}, "`steps` must be an integer"),
    "slots": ({"max_segments": 0}, "`max_segments` must be an integer"),
    "order": ({"order": "best-fit"}, "'random', 'decreasing', 'given'"),
    "seed": ({"seed": None}, "`seed` must be an integer"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_plans(name: str) -> None:
    given, said = BAD[name]
    with pytest.raises(ValueError, match=f"In pack: .*{said}"):
        pack(**{"lengths": LENGTHS, "steps": 32, **given})


def test_bad_data() -> None:
    plan, cut = planned("plain"), planned("cut")
    with pytest.raises(ValueError, match=r"len\(values\)=59, sequences=60"):
        plan.pack(NUMBERS[1:])
    with pytest.raises(ValueError, match=r"sequence=0, .*sequences=60 of 60"):
        plan.pack([[*one, 1] for one in NUMBERS])
    with pytest.raises(ValueError, match="pad_value=nan, dtype=int64"):
        plan.pack(NUMBERS, np.nan)
    for wrong in (plan.mask[:, :16], plan.mask[1:], np.zeros(plan.rows)):
        with pytest.raises(ValueError, match=r"shape=\(.*steps=32"):
            plan.unpack(wrong)
    with pytest.raises(ValueError, match="shape="):
        plan.unpack(plan.mask, per_step=False)
    for call in (cut.pack, lambda y: cut.unpack(cut.segment_mask)):
        with pytest.raises(ValueError, match="was cut has no slot"):
            call(np.arange(60))


def test_as_many_slots_as_steps() -> None:
    plan = pack([2, 1, 1], 4, max_segments=4, order="given")
    with pytest.raises(ValueError, match="Pass per_step=True or per_step=Fal"):
        plan.unpack(plan.mask)
    steps = plan.unpack(plan.mask, per_step=True)
    assert [one.tolist() for one in steps] == [[True] * 2, [True], [True]]
    pooled = plan.unpack(plan.segment_mask, per_step=False)
    assert pooled.tolist() == [True] * 3


def test_tensors() -> None:
    plan = pack([2, 1], 4, order="given")
    x = plan.pack([keras.ops.ones(2), keras.ops.ones(1)])
    y = plan.unpack(keras.ops.convert_to_tensor(x))
    assert [one.tolist() for one in y] == [[1.0, 1.0], [1.0]]
