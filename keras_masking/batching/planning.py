"""Which sequences share a row, and where each of them starts."""

from dataclasses import dataclass

import numpy as np

from keras_masking._arguments import check_integer
from keras_masking.batching.rows import Layout
from keras_masking.errors import describe

# The sequence, offset and length of each piece; or its row, start and slot.
Pieces = tuple[np.ndarray, np.ndarray, np.ndarray]
ORDERS = "random", "decreasing", "given"


@dataclass(frozen=True)
class Room:
    """What a row holds.

    Attributes:
        steps: The number of steps of a row.
        gap: The least number of padding steps between two pieces.
        align: Pieces start at multiples of it.
        most: The most pieces in a row; None for any number.
    """

    steps: int
    gap: int = 1
    align: int = 1
    most: int | None = None


def read_room(
    caller: str, steps: int, gap: int, align: int, max_segments: int | None
) -> Room:
    """The room of a row, checked."""
    if max_segments is not None:
        check_integer(caller, "max_segments", max_segments)
    check_integer(caller, "steps", steps)
    check_integer(caller, "align", align)
    if not isinstance(gap, (int, np.integer)) or gap < 1:
        raise ValueError(
            describe(
                caller,
                "`gap` must be an integer of at least 1: padding parts two "
                "sequences of a row.",
                "Pass gap=1, or as many steps as the model's windows need.",
                gap=repr(gap),
            )
        )
    return Room(int(steps), int(gap), int(align), max_segments)


def best_fit(lengths: np.ndarray, room: Room, order: np.ndarray) -> Pieces:
    """Puts each piece into the row with the least space that it fits into.

    Args:
        lengths: The steps of each piece, from 1 to `room.steps`.
        room: What a row holds.
        order: The pieces in the order in which they are placed.

    Returns:
        For each piece its row, its start and its slot: the number of pieces
        before it in its row.

    The rows with the same space are a list; the spaces that there are, are the
    bits of one integer, so that the smallest that is large enough is found in a
    few operations on machine words.
    """
    row, start, slot = (np.empty(len(lengths), "int64") for _ in range(3))
    steps, most = room.steps, room.most or len(lengths)
    spaces = 0  # bit s is set: there is a row in which s steps are free
    by_space: dict[int, list[int]] = {}
    filled: list[int] = []  # the number of pieces of each row
    sizes = -(-(lengths + room.gap) // room.align) * room.align
    for i, length, size in zip(
        order.tolist(), lengths[order].tolist(), sizes[order].tolist()
    ):
        fitting = spaces >> length
        if fitting:
            space = length + (fitting & -fitting).bit_length() - 1
            rows = by_space[space]
            where = rows.pop()
            if not rows:
                spaces ^= 1 << space
        else:
            space, where = steps, len(filled)
            filled.append(0)
        row[i], start[i], slot[i] = where, steps - space, filled[where]
        filled[where] += 1
        rest = space - size
        if rest > 0 and filled[where] < most:
            by_space.setdefault(rest, []).append(where)
            spaces |= 1 << rest
    return row, start, slot


def in_order(
    order: str, lengths: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The order in which pieces are placed."""
    if order == "random":
        return rng.permutation(len(lengths))
    if order == "decreasing":
        return np.argsort(-lengths, kind="stable")
    return np.arange(len(lengths))


def read_pieces(
    caller: str, lengths: np.ndarray, steps: int, split: bool
) -> Pieces:
    """The sequence, offset and length of each piece."""
    longest = int(lengths.argmax())
    if lengths[longest] > steps and not split:
        raise ValueError(
            describe(
                caller,
                "a row must hold the longest sequence.",
                f"Pass steps={lengths[longest]} or more, or split=True.",
                steps=steps,
                sequence=longest,
                length=lengths[longest],
            )
        )
    return _cut_pieces(lengths, steps)


def make_layout(
    pieces: Pieces, placed: Pieces, steps: int, max_segments: int | None
) -> Layout:
    """The layout of pieces at a row, start and slot."""
    (sequence, offset, length), (row, start, slot) = pieces, placed
    return Layout(
        rows=int(row.max()) + 1,
        steps=steps,
        sequence=sequence,
        length=length,
        row=row,
        start=start,
        offset=offset,
        slot=slot,
        slots=max_segments or int(slot.max()) + 1,
    )


def _cut_pieces(lengths: np.ndarray, steps: int) -> Pieces:
    """Pieces of at most `steps` steps: their sequence, offset and length."""
    counts = -(-lengths // steps)
    sequence = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(sequence)) - np.repeat(
        np.cumsum(counts) - counts, counts
    )
    offset = number * steps
    return sequence, offset, np.minimum(lengths[sequence] - offset, steps)
