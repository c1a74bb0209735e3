"""Batches of packed rows of one size, packed anew for each epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_masking.batching.grouping import BATCH_SIZE
from keras_masking.batching.planning import Pieces
from keras_masking.batching.planning import Room
from keras_masking.batching.planning import best_fit
from keras_masking.batching.planning import make_layout
from keras_masking.batching.rows import Layout
from keras_masking.errors import describe

# Plans of an epoch that are tried, until one has no more rows than the first.
TRIES = 5


class PackedRows:
    """Pieces of sequences that share rows of one size.

    Args:
        pieces: The sequence, offset and length of each piece.
        room: What a row holds.
        batch_size: The most rows of a batch; None for about 32 sequences.
    """

    def __init__(
        self, pieces: Pieces, room: Room, batch_size: int | None
    ) -> None:
        self.pieces, self.room, self.batch_size = pieces, room, batch_size
        self._first: list[Layout] = []

    def plan(self, rng: np.random.Generator | None) -> list[Layout]:
        """The batches of an epoch: as many, of the same shape, for each."""
        if self._first:
            packed = self._pack_again(rng)
        else:
            packed = self._pack(rng)
            self._first = [packed]
            self._count, self._rows = self._sizes(packed)
        rows = np.arange(packed.rows)
        if rng is not None:
            rng.shuffle(rows)
        return packed.split(np.array_split(rows, self._count), self._rows)

    def _pack(self, rng: np.random.Generator | None) -> Layout:
        lengths = self.pieces[2]
        order = np.arange(len(lengths))
        if rng is not None:
            rng.shuffle(order)
        placed = best_fit(lengths, self.room, order)
        return make_layout(self.pieces, placed, self.room.steps, self.room.most)

    def _pack_again(self, rng: np.random.Generator | None) -> Layout:
        """Another plan for as many batches, or the first one."""
        for _ in range(TRIES):
            packed = self._pack(rng)
            if self._count <= packed.rows <= self._count * self._rows:
                return packed
        return self._first[0]

    def _sizes(self, packed: Layout) -> tuple[int, int]:
        """The number of batches and of their rows."""
        size = self.batch_size
        if size is None:
            share = packed.rows / len(self.pieces[0])
            size = max(1, round(BATCH_SIZE * share))
        count = -(-packed.rows // size)
        return count, -(-packed.rows // count)


def read_sizes(caller: str, steps: Any) -> list[int]:
    """The sizes of rows in ascending order; each is checked later."""
    if not isinstance(steps, (Sequence, np.ndarray)):
        return [steps]
    sizes = list(steps)
    if not sizes or sizes != sorted(set(sizes)):
        raise ValueError(
            describe(
                caller,
                "several sizes of rows must ascend.",
                "Pass `sorted(set(steps))`, or one size.",
                steps=sizes,
            )
        )
    return sizes


def rows_of_sizes(
    pieces: Pieces, rooms: list[Room], batch_size: int | None
) -> list[PackedRows]:
    """Each piece in the smallest rows that hold it; sizes without one go.

    Args:
        pieces: The sequence, offset and length of each piece.
        rooms: What rows hold, by ascending steps.
        batch_size: The most rows of a batch of the longest ones. Those of the
            others have as many steps.
    """
    sizes = np.array([room.steps for room in rooms])
    place = np.searchsorted(sizes, pieces[2])
    result = []
    for i, room in enumerate(rooms):
        members = place == i
        if members.any():
            mine = tuple(column[members] for column in pieces)
            rows = batch_size and batch_size * rooms[-1].steps // room.steps
            result.append(PackedRows(mine, room, rows))
    return result
