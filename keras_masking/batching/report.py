"""What batches consist of: shapes, padding, advice."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from textwrap import fill

import numpy as np
from rich.console import Console
from rich.table import Table

from keras_masking.batching.edges import bucket_edges
from keras_masking.batching.rows import Layout

WIDTH = 79
# Shares of padding that are worth another number of buckets.
LITTLE, MUCH = 0.02, 0.1


@dataclass(frozen=True)
class BatchShape:
    """The batches of one shape.

    Attributes:
        rows: The rows of a batch.
        steps: The steps of a row.
        batches: The number of batches.
        sequences: The sequences in them.
        real: Their real steps.
    """

    rows: int
    steps: int
    batches: int
    sequences: int
    real: int

    @property
    def padding(self) -> float:
        """The share of steps that are padding."""
        return 1 - self.real / (self.batches * self.rows * self.steps)


@dataclass(frozen=True)
class BatchReport:
    """What the batches of an epoch consist of. Prints as a table.

    Attributes:
        sequences: The number of sequences.
        real: Their number of real steps.
        longest: The steps of the longest one.
        empty: The number of sequences without steps.
        shapes: A `BatchShape` for each shape, by steps and rows. A backend that
            compiles, compiles once for each.
        split: The number of sequences that were cut into pieces.
        segments: The most sequences, or pieces, in a row.
        advice: What would reduce padding or compilations, in sentences.
    """

    sequences: int
    real: int
    longest: int
    empty: int
    shapes: list[BatchShape]
    split: int = 0
    segments: int = 1
    advice: list[str] = field(default_factory=list)

    @property
    def batches(self) -> int:
        """The number of batches in an epoch."""
        return sum(shape.batches for shape in self.shapes)

    @property
    def padding_before(self) -> float:
        """The share of padding if all were padded to the longest sequence."""
        return 1 - self.real / max(self.sequences * self.longest, 1)

    @property
    def padding(self) -> float:
        """The share of padding in these batches."""
        steps = sum(s.batches * s.rows * s.steps for s in self.shapes)
        return 1 - self.real / steps

    def __str__(self) -> str:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
        for name in ("batches", "rows", "steps", "sequences", "padding"):
            table.add_column(name, justify="right")
        for shape in self.shapes:
            sizes = shape.batches, shape.rows, shape.steps, shape.sequences
            table.add_row(*map(str, sizes), f"{shape.padding:.1%}")
        console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
        with console.capture() as capture:
            console.print(table)
        lines = [line.rstrip() for line in capture.get().splitlines()]
        lines += [
            f"{self.sequences} sequences, {self.real} real steps, "
            f"{self.batches} batches, {len(self.shapes)} shapes",
            f"padding: {self.padding:.1%} of the steps, "
            f"{self.padding_before:.1%} if all are padded to the longest",
        ]
        if self.empty:
            lines.append(f"{self.empty} sequences are empty rows")
        if self.segments > 1:
            lines.append(f"up to {self.segments} sequences in a row")
        if self.split:
            lines.append(f"{self.split} sequences are cut into pieces")
        lines += [
            fill(one, WIDTH, initial_indent="- ", subsequent_indent="  ")
            for one in self.advice
        ]
        return "\n".join(lines)


def count(
    layouts: Sequence[Layout], lengths: np.ndarray, advice: list[str]
) -> BatchReport:
    """The report of the batches `layouts` of all sequences."""
    pieces = np.bincount(np.concatenate([one.sequence for one in layouts]))
    totals: dict[tuple[int, int], Counter[str]] = {}
    for layout in layouts:
        total = totals.setdefault((layout.steps, layout.rows), Counter())
        total["batches"] += 1
        total["sequences"] += len(layout.sequence)
        total["real"] += int(layout.length.sum())
    shapes = [
        BatchShape(rows, steps, **total)
        for (steps, rows), total in sorted(totals.items())
    ]
    return BatchReport(
        sequences=len(lengths),
        real=int(lengths.sum()),
        longest=int(lengths.max()),
        empty=int((lengths == 0).sum()),
        shapes=shapes,
        split=int((pieces > 1).sum()),
        segments=max(int(np.bincount(one.row).max()) for one in layouts),
        advice=advice,
    )


def bucket_report(
    layouts: Sequence[Layout], lengths: np.ndarray, edges: list[int]
) -> BatchReport:
    """The report of buckets, with advice on their number."""
    return count(layouts, lengths, _on_the_number(lengths, edges))


def pack_report(layouts: Sequence[Layout], lengths: np.ndarray) -> BatchReport:
    """The report of packed rows, with advice on buckets."""
    edges, longest = bucket_edges(lengths), max(one.steps for one in layouts)
    sizes = sorted({-(-longest // 4), -(-longest // 2), longest})
    advice = [
        "Attention and recurrent layers take longer for longer rows. "
        f"`PackedBatches(steps={sizes})` packs short sequences into shorter "
        f"ones; {len(edges)} buckets leave {_padding(lengths, edges):.1%} "
        "padding."
    ]
    found = count(layouts, lengths, advice)
    one_size = len({shape.steps for shape in found.shapes}) == 1
    packed = found.segments > 1 and one_size
    return found if packed else replace(found, advice=[])


def _padding(lengths: np.ndarray, edges: list[int]) -> float:
    """The share of padding in buckets."""
    padded_to = np.array(edges)[np.searchsorted(edges, lengths)]
    return 1 - float(lengths.sum() / padded_to.sum())


def _on_the_number(lengths: np.ndarray, edges: list[int]) -> list[str]:
    fewer = bucket_edges(lengths, max(len(edges) // 2, 1))
    more = bucket_edges(lengths, len(edges) * 2)
    with_fewer, now, with_more = (
        _padding(lengths, one) for one in (fewer, edges, more)
    )
    if len(fewer) < len(edges) and with_fewer - now < LITTLE:
        return [
            f"buckets={len(fewer)} would do: {with_fewer:.1%} padding, and "
            "fewer compilations."
        ]
    if now - with_more > MUCH:
        return [
            f"buckets={len(more)} would leave {with_more:.1%} padding, with "
            "enough sequences for full batches."
        ]
    return []
