"""All ways of the benchmark train on the same steps."""

import pytest

from benchmarks import batching

pytestmark = pytest.mark.once


def test_the_same_steps() -> None:
    x = batching.sequences(32)
    real = sum(map(len, x))
    found = batching.ways(x)
    assert "packed" in found and "8 buckets, 4 x the steps" in found
    for name, dataset in found.items():
        inputs = [batch[0] for batch in dataset]
        assert sum((ids > 0).sum() for ids in inputs) == real, name
        limit = batching.BUDGET * (4 if "4 x" in name else 1)
        if "buckets" in name or "packed" in name:
            assert max(ids.size for ids in inputs) <= limit, name
