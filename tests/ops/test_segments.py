"""Runs of a mask, and reductions over each of them."""

from itertools import groupby

import numpy as np
import pytest

from keras_masking import ops
from keras_masking.ops.order import reverse_runs
from keras_masking.ops.segments import segment_softmax
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import to_numpy

X = sample()


def _runs(mask: np.ndarray) -> list[list[list[int]]]:
    """The columns of each run of each row."""
    rows = []
    for row in mask:
        groups = groupby(range(len(row)), key=lambda step: row[step])
        rows.append([list(steps) for real, steps in groups if real])
    return rows


@pytest.mark.parametrize("kind", MASKS)
def test_ids_and_positions(kind: str) -> None:
    mask = MASKS[kind]
    ids, positions = np.zeros((2, *mask.shape), "int32")
    for row, runs in enumerate(_runs(mask)):
        for number, run in enumerate(runs):
            ids[row, run] = number + 1
            positions[row, run] = range(len(run))
    found = ops.segment_ids(mask), ops.position_ids(mask, packed=True)
    for y, wanted in zip(found, (ids, positions)):
        np.testing.assert_array_equal(to_numpy(y), wanted)
        assert to_numpy(y).dtype == "int32"


def test_no_steps() -> None:
    nothing = np.zeros((3, 0), bool)
    for y in ops.segment_ids(nothing), ops.position_ids(nothing, packed=True):
        assert to_numpy(y).shape == (3, 0)


def test_reverse_and_softmax() -> None:
    mask = MASKS["holes"]
    x = poisoned(X, mask, np.nan)
    reverse, share = np.zeros((2, *X.shape))
    for row, runs in enumerate(_runs(mask)):
        for run in runs:
            reverse[row, run] = X[row, run[::-1]]
            powers = np.exp(X[row, run].astype("float64"))
            share[row, run] = powers / powers.sum(axis=0)
    real = ops.check_mask(mask, X)
    assert_close(reverse_runs(x, real), reverse)
    assert_close(segment_softmax(ops.apply_mask(x), real), share)
