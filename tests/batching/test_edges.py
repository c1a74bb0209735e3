"""The edges of buckets, compared with all possible edges."""

import itertools
import random

import numpy as np
import pytest

from keras_masking.batching import bucket_edges

pytestmark = pytest.mark.once


def padded_steps(lengths: list[int], edges: list[int]) -> int:
    """The steps of the batches, sequence by sequence."""
    return sum(min(e for e in edges if e >= length) for length in lengths)


@pytest.mark.parametrize("multiple_of", [1, 3])
@pytest.mark.parametrize("buckets", [1, 2, 3, 5])
def test_no_other_edges_need_fewer_steps(
    buckets: int, multiple_of: int
) -> None:
    rng = random.Random(buckets)
    for largest in [4, 12, 100] * 20:
        lengths = [rng.randint(1, largest) for _ in range(rng.randint(1, 9))]
        edges = bucket_edges(lengths, buckets, multiple_of)
        possible = range(multiple_of, largest + multiple_of, multiple_of)
        possible = [e for e in possible if e - multiple_of < max(lengths)]
        choices = itertools.combinations(possible[:-1], buckets - 1)
        if len(possible) <= buckets:
            choices = iter([tuple(possible)])
        elif largest == 100:  # too many to try all: those of the lengths
            up = {-(-n // multiple_of) * multiple_of for n in lengths}
            most = min(buckets, len(up)) - 1
            choices = itertools.combinations(sorted(up - {max(up)}), most)
        least = min(
            padded_steps(lengths, [*choice, possible[-1]]) for choice in choices
        )
        assert padded_steps(lengths, edges) == least
        assert edges == sorted(set(edges))
        assert len(edges) <= buckets
        assert not any(edge % multiple_of for edge in edges)


def test_no_edge_that_nobody_needs() -> None:
    assert bucket_edges([4, 4, 7], buckets=8) == [4, 7]
    assert bucket_edges([4, 4, 7], buckets=8, multiple_of=8) == [8]
    assert bucket_edges([0], buckets=2) == [1]


def test_large_numbers() -> None:
    """The steps of all buckets together exceed 64 bits."""
    lengths = np.array([2**61, 2**61 + 1, 2**61 + 9, 2**61 + 9], "uint64")
    assert bucket_edges(lengths, 2) == [2**61 + 1, 2**61 + 9]
    small = np.array([200, 250, 255, 255], "uint8")
    assert bucket_edges(small, 2, multiple_of=2) == [200, 256]


@pytest.mark.parametrize(
    "lengths, said",
    [
        ([], r"shape=\(0,\)"),
        ([[1, 2]], r"shape=\(1, 2\)"),
        ([1.5], "dtype=float64"),
        ([np.nan], "dtype=float64"),
        (["a"], "dtype=<U1"),
        ([3, -1, -2], "steps=-1, sequence=1, sequences=2 of 3"),
    ],
)
def test_bad_lengths(lengths: list, said: str) -> None:
    with pytest.raises(ValueError, match=f"In bucket_edges: .*{said}"):
        bucket_edges(lengths)


@pytest.mark.parametrize("name", ["buckets", "multiple_of"])
@pytest.mark.parametrize("value", [0, 2.0, True, "2"])
def test_bad_counts(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be an integer of at"):
        bucket_edges([3, 4], **{name: value})
