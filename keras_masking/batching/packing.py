"""Several sequences in a row: where they stand, and back to a list."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_masking._arguments import check_integer
from keras_masking.batching.checks import check_choice
from keras_masking.batching.checks import check_lengths
from keras_masking.batching.columns import fit
from keras_masking.batching.data import read_target
from keras_masking.batching.planning import ORDERS
from keras_masking.batching.planning import best_fit
from keras_masking.batching.planning import in_order
from keras_masking.batching.planning import make_layout
from keras_masking.batching.planning import read_pieces
from keras_masking.batching.planning import read_room
from keras_masking.batching.report import BatchReport
from keras_masking.batching.report import pack_report
from keras_masking.batching.rows import Layout
from keras_masking.batching.rows import padding_rows
from keras_masking.errors import describe


@dataclass(frozen=True)
class Packing:
    """Sequences in rows, several in each: what `pack` returns.

    Attributes:
        lengths: The number of steps of each sequence, int64 `(sequences,)`.
        layout: Where each sequence, or piece of one, stands: arrays with an
            integer for each piece. `layout.sequence` is its sequence,
            `layout.row` its row, `layout.start` the first of its steps there,
            `layout.length` their number, `layout.slot` its number in the row,
            from 0, and `layout.offset` the first of its steps in the sequence.
    """

    lengths: np.ndarray
    layout: Layout

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.layout.rows

    @property
    def steps(self) -> int:
        """The number of steps of a row."""
        return self.layout.steps

    @property
    def max_segments(self) -> int:
        """The number of slots of a row: the most sequences that it holds."""
        return self.layout.slots

    @cached_property
    def mask(self) -> np.ndarray:
        """True at real steps, `(rows, steps)`."""
        return self.layout.mask

    @cached_property
    def segment_ids(self) -> np.ndarray:
        """The slot of each step plus 1, 0 at padding, int32 `(rows, steps)`."""
        ids = [
            np.full(length, slot + 1)
            for length, slot in zip(self.layout.length, self.layout.slot)
        ]
        return self._steps(ids)

    @cached_property
    def position_ids(self) -> np.ndarray:
        """The position of each step in its run, int32 `(rows, steps)`.

        It starts at 0, and is 0 at padding.
        """
        return self._steps([np.arange(n) for n in self.layout.length])

    @cached_property
    def segment_mask(self) -> np.ndarray:
        """True at slots with a sequence, `(rows, max_segments)`."""
        result = padding_rows(self.rows, (self.max_segments,), bool)
        result[self.layout.row, self.layout.slot] = True
        return result

    def pack(
        self, values: Any, pad_value: Any = 0, per_step: bool | None = None
    ) -> np.ndarray:
        """Puts data of the sequences into the rows.

        Args:
            values: One entry for each sequence, in their order: arrays `(steps,
                ...)` with its steps, or values of one shape.
            pad_value: What stands at padding steps. Defaults to 0.
            per_step: Whether the entries have steps. Defaults to None: by their
                shapes.

        Returns:
            Array of shape `(rows, steps, ...)`, or, for values without steps,
            `(rows, max_segments, ...)`, which is 0 where a slot is free.

        Raises:
            ValueError: If the entries don't fit the sequences, or values
                without steps are packed where a sequence was cut into pieces.
        """
        caller = "Packing.pack"
        column = read_target(caller, "values", values, self.lengths, per_step)
        if column.per_step:
            value = fit(caller, "pad_value", pad_value, column.dtype)
            return self.layout.place_steps(column.values, column.dtype, value)
        self._check_whole(caller)
        return self.layout.place_rows(column.values, column.dtype)

    def unpack(self, y: Any, per_step: bool | None = None) -> Any:
        """Takes outputs of a model apart, in the order of the sequences.

        Args:
            y: Array of shape `(rows, steps, ...)`, or `(rows, max_segments,
                ...)` for pooled outputs.
            per_step: Whether `y` has steps. Defaults to None: by its shape.

        Returns:
            For steps a list with an array `(steps, ...)` for each sequence;
            pieces are joined. For pooled outputs an array `(sequences, ...)`.

        Raises:
            ValueError: If `y` has other axes, if `steps` and `max_segments` are
                equal and `per_step` is None, or if pooled outputs are unpacked
                where a sequence was cut into pieces.
        """
        caller = "Packing.unpack"
        y = np.asarray(y)
        sizes = {True: self.steps, False: self.max_segments}
        found = [
            kind
            for kind, size in sizes.items()
            if y.shape[:2] == (self.rows, size) and per_step in (None, kind)
        ]
        if len(found) != 1:
            raise ValueError(
                describe(
                    caller,
                    "`y` must have shape (rows, steps, ...) or (rows, "
                    "max_segments, ...).",
                    "Pass per_step=True or per_step=False if both are the same."
                    if found
                    else "The outputs of a model with strides have fewer "
                    "steps, which cannot be taken apart here.",
                    shape=y.shape,
                    rows=self.rows,
                    steps=self.steps,
                    max_segments=self.max_segments,
                )
            )
        layout = self.layout
        if not found[0]:
            self._check_whole(caller)
            result = np.empty((len(self.lengths), *y.shape[2:]), y.dtype)
            result[layout.sequence] = y[layout.row, layout.slot]
            return result
        shape = y.shape[2:]
        steps = [np.empty((n, *shape), y.dtype) for n in self.lengths.tolist()]
        places = (layout.sequence, layout.offset, layout.row, layout.start)
        for i, offset, row, start, length in zip(
            *(place.tolist() for place in places), layout.length.tolist()
        ):
            piece = y[row, start : start + length]
            steps[i][offset : offset + length] = piece
        return steps

    def report(self) -> BatchReport:
        """How full the rows are, as one batch of all rows."""
        return pack_report([self.layout], self.lengths)

    def _steps(self, pieces: list[np.ndarray]) -> np.ndarray:
        """An array for each piece in its place, int32 `(rows, steps)`."""
        layout = self.layout
        result = padding_rows(self.rows, (self.steps,), "int32")
        for row, start, piece in zip(layout.row, layout.start, pieces):
            result[row, start : start + len(piece)] = piece
        return result

    def _check_whole(self, caller: str) -> None:
        if len(self.layout.sequence) > len(self.lengths):
            raise ValueError(
                describe(
                    caller,
                    "a sequence that was cut has no slot of its own.",
                    "Pack into longer rows, without `split=True`.",
                    sequences=len(self.lengths),
                    pieces=len(self.layout.sequence),
                )
            )


def pack(
    lengths: Any,
    steps: int,
    *,
    gap: int = 1,
    align: int = 1,
    max_segments: int | None = None,
    shortest: int = 1,
    split: bool = False,
    order: str = "random",
    seed: int = 0,
) -> Packing:
    """Plans which sequences share a row, so that few steps are padding.

    The sequences of a row are parted by padding. A layer that can be packed
    gives each run of real steps what it gives the sequence alone.

    Each sequence goes into the row with the least space that it fits into, or
    into a new row. 100,000 sequences take less than a second.

    Args:
        lengths: The number of steps of each sequence, integers of shape
            `(sequences,)`.
        steps: The number of steps of a row.
        gap: The least number of padding steps between two sequences: as many
            as the windows of the model need. Defaults to 1.
        align: Sequences start at multiples of it: the product of the strides of
            the model. Defaults to 1.
        max_segments: The most sequences in a row: that of the poolings of the
            model. Defaults to None: as many as fit.
        shortest: Shorter sequences are an error. Take the window of a `"valid"`
            convolution: a shorter sequence has no output step there, and the
            sequences after it would be counted wrong. Defaults to 1.
        split: Whether sequences longer than a row are cut into pieces of
            `steps` steps. A layer does not see beyond a piece. Defaults to
            False: they are an error.
        order: The order in which sequences are placed. `"random"`: by `seed`.
            `"decreasing"`: by length, which leaves the least padding, but has
            up to three times as many sequences in a row. `"given"`: that of
            `lengths`. Defaults to `"random"`.
        seed: Seed of the random order, an integer. Defaults to 0.

    Returns:
        A `Packing`, which packs data and unpacks outputs.

    Raises:
        ValueError: If there are no sequences, or a length is not a whole number
            of at least `shortest`; if a sequence is longer than a row, without
            `split`; if `gap` is below 1; if another argument is not an integer
            of at least 1, or `order` is unknown.

    Source: best fit for bin packing (Johnson 1974), with the gap and the
    alignment in the size of a sequence.

    Example:

    >>> plan = keras_masking.batching.pack([3, 1, 2], steps=6, order="given")
    >>> x = plan.pack([[1, 2, 3], [4], [5, 6]])
    >>> x.tolist()
    [[1, 2, 3, 0, 4, 0], [5, 6, 0, 0, 0, 0]]
    >>> plan.segment_ids.tolist()
    [[1, 1, 1, 0, 2, 0], [1, 1, 0, 0, 0, 0]]
    >>> [y.tolist() for y in plan.unpack(x * 10)]
    [[10, 20, 30], [40], [50, 60]]
    """
    caller = "pack"
    check_choice(caller, "order", order, ORDERS)
    seed = check_integer(caller, "seed", seed, 0)
    room = read_room(caller, steps, gap, align, max_segments)
    shortest = check_integer(caller, "shortest", shortest)
    found = check_lengths(caller, lengths, shortest)
    pieces = read_pieces(caller, found, room.steps, split)
    rng = np.random.default_rng(seed)
    placed = best_fit(pieces[2], room, in_order(order, pieces[2], rng))
    return Packing(found, make_layout(pieces, placed, room.steps, max_segments))
