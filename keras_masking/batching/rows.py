"""Rows of padding, and where sequences stand in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


def padding_rows(
    count: int, shape: tuple[int, ...], dtype: Any, value: Any = 0
) -> np.ndarray:
    """Rows without a real step, the same wherever this package makes some.

    Args:
        count: The number of rows.
        shape: The shape of one row: `(steps, ...)` for what has steps, `()` for
            a length or a weight for each row.
        dtype: The dtype of the batch.
        value: What stands at padding: the padding id or feature of an input;
            0, which is False in a mask, for everything else.

    Returns:
        Array of shape `(count, *shape)`.
    """
    return np.full((count, *shape), value, dtype)


@dataclass(frozen=True)
class Layout:
    """Where the pieces of sequences stand in the rows of a batch.

    A piece is a whole sequence, unless one was longer than a row. The arrays
    have one integer for each piece.

    Attributes:
        rows: The number of rows.
        steps: The number of steps of a row.
        sequence: The index of the piece's sequence.
        length: The number of steps of the piece.
        row: The row that it stands in.
        start: The first of its steps in that row.
        offset: The first of its steps in its sequence.
        slot: Its number among the pieces of its row, from 0.
        slots: The number of slots of a row, for packed rows. Else 0: what a
            sequence has once, its row has.
    """

    rows: int
    steps: int
    sequence: np.ndarray
    length: np.ndarray
    row: np.ndarray
    start: np.ndarray
    offset: np.ndarray
    slot: np.ndarray
    slots: int = 0

    @property
    def mask(self) -> np.ndarray:
        """True at real steps, `(rows, steps)`."""
        result = padding_rows(self.rows, (self.steps,), bool)
        for row, start, length in self._places():
            result[row, start : start + length] = True
        return result

    @property
    def lengths(self) -> np.ndarray:
        """The number of real steps of each row, int32 `(rows,)`."""
        result = padding_rows(self.rows, (), "int32")
        np.add.at(result, self.row, self.length.astype("int32"))
        return result

    def place_steps(
        self, values: Sequence[np.ndarray], dtype: Any, value: Any = 0
    ) -> np.ndarray:
        """The steps of each sequence at their places, `(rows, steps, ...)`.

        Args:
            values: An array `(steps, ...)` for each sequence of the data.
            dtype: The dtype of the batch.
            value: What stands at padding.
        """
        shape = (self.steps, *values[0].shape[1:])
        result = padding_rows(self.rows, shape, dtype, value)
        places = zip(self.sequence.tolist(), self.offset.tolist())
        for (i, begin), (row, start, length) in zip(places, self._places()):
            piece = values[i][begin : begin + length]
            result[row, start : start + length] = piece
        return result

    def place_rows(self, values: np.ndarray, dtype: Any) -> np.ndarray:
        """What each sequence has once, in its row or, if there are any, slot.

        Args:
            values: Array `(sequences, ...)`.
            dtype: The dtype of the batch.

        Returns:
            Array of shape `(rows, ...)` or `(rows, slots, ...)`, 0 where there
            is no sequence.
        """
        shape = values.shape[1:]
        if not self.slots:
            result = padding_rows(self.rows, shape, dtype)
            result[self.row] = values[self.sequence]
            return result
        result = padding_rows(self.rows, (self.slots, *shape), dtype)
        result[self.row, self.slot] = values[self.sequence]
        return result

    def split(self, groups: list[np.ndarray], rows: int) -> list["Layout"]:
        """Batches of the rows in each group, filled to `rows` rows."""
        order = np.argsort(self.row, kind="stable")
        ends = np.cumsum(np.bincount(self.row))
        of_row = np.split(order, ends[:-1])
        return [
            self._part([of_row[row] for row in group], rows) for group in groups
        ]

    def _part(self, of_row: list[np.ndarray], rows: int) -> "Layout":
        which = np.concatenate(of_row)
        counts = [len(pieces) for pieces in of_row]
        return Layout(
            rows=rows,
            steps=self.steps,
            sequence=self.sequence[which],
            length=self.length[which],
            row=np.repeat(np.arange(len(of_row)), counts),
            start=self.start[which],
            offset=self.offset[which],
            slot=self.slot[which],
            slots=self.slots,
        )

    def _places(self) -> zip:  # type: ignore[type-arg]
        return zip(self.row.tolist(), self.start.tolist(), self.length.tolist())
