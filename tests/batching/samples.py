"""Batches, their sources, and the means that they should give."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from tests.helpers import BACKEND

# Rows with 4, 2, 1, 4, 1 and 0 real steps.
IDS = np.array(
    [
        [1, 2, 3, 4],
        [5, 6, 0, 0],
        [0, 0, 0, 7],
        [1, 3, 1, 2],
        [2, 0, 0, 0],
        [0, 0, 0, 0],
        [3, 3, 3, 0],
    ]
)
REAL = IDS != 0
LENGTHS = REAL.sum(axis=1)
TARGETS = np.random.default_rng(0).normal(size=(7, 4, 2)).astype("float32")
LOSSES = np.random.default_rng(1).uniform(size=(7, 4))


def cut(*sizes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows as batches of these sizes."""
    ends = np.cumsum(sizes)
    rows = [slice(end - size, end) for end, size in zip(ends, sizes)]
    return [(IDS[r], TARGETS[r]) for r in rows]


class Batches(keras.utils.PyDataset):
    """Batches of a list."""

    def __init__(self, batches: list) -> None:
        super().__init__()
        self.batches = batches
        self.epochs: list[str] = []

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]

    def on_epoch_begin(self) -> None:
        self.epochs.append("begin")

    def on_epoch_end(self) -> None:
        self.epochs.append("end")


def source(kind: str, batches: list) -> Any:
    """`batches` as a list, a generator, or a dataset of a library."""
    if kind == "PyDataset":
        return Batches(batches)
    if kind == "generator":
        return (batch for batch in batches)
    if kind == "library" and BACKEND == "tensorflow":
        import tensorflow as tf

        x, y = (np.concatenate(part) for part in zip(*batches))
        dataset = tf.data.Dataset.from_tensor_slices((x, y))
        return dataset.batch(len(batches[0][0]))
    if kind == "library" and BACKEND == "torch":
        from torch.utils.data import DataLoader

        x, y = (np.concatenate(part) for part in zip(*batches))
        return DataLoader([*zip(x, y)], batch_size=len(batches[0][0]))
    if kind == "library":
        pytest.skip("JAX has no datasets of its own")
    return batches


def shards(rows: int, replicas: int) -> Iterator[slice]:
    """How `tf.distribute.MirroredStrategy` cuts a batch."""
    first = 0
    for left in range(replicas, 0, -1):
        size = min((rows + replicas - 1) // replicas, rows - first)
        assert left and size >= 0
        yield slice(first, first + size)
        first += size
