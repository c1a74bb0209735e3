"""A mask as a drawing: which rows and steps are shown, and as SVG paths."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ROWS = 8
STEPS = 24  # of more, the first and the last half of that
PITCH = 8
CELL = 7
GAP = 12  # where steps are left out


@dataclass(frozen=True)
class Grid:
    """The part of a mask that is drawn.

    Attributes:
        mask: The drawn rows by the drawn steps.
        rows: How many rows there are.
        steps: How many steps there are.
        cut: The place of the first step behind the gap; None without one.
    """

    mask: np.ndarray
    rows: int
    steps: int
    cut: int | None

    @property
    def left_out(self) -> str:
        """What is not drawn, in words."""
        rows, steps = self.mask.shape
        told = []
        if rows < self.rows:
            told.append(f"first {rows} of {self.rows} rows")
        if steps < self.steps:
            half = steps // 2
            told.append(f"first and last {half} of {self.steps} steps")
        return ", ".join(told)

    def cells(self) -> Iterator[tuple[float, float, bool]]:
        """The corner of each cell, and whether its step is real."""
        for row, steps in enumerate(self.mask):
            for step, real in enumerate(steps):
                gap = GAP if self.cut is not None and step >= self.cut else 0
                yield step * PITCH + gap, row * PITCH, bool(real)

    @property
    def width(self) -> int:
        gap = 0 if self.cut is None else GAP
        return max(self.mask.shape[1], 1) * PITCH + gap

    @property
    def height(self) -> int:
        return max(self.mask.shape[0], 1) * PITCH

    @property
    def scale(self) -> float:
        """Few steps are drawn larger."""
        return 1.5 if self.mask.shape[1] <= STEPS // 2 else 1

    @property
    def real(self) -> str:
        """The path of the real steps: full squares."""
        return "".join(
            f"M{x} {y}h{CELL}v{CELL}h-{CELL}z"
            for x, y, real in self.cells()
            if real
        )

    @property
    def padding(self) -> str:
        """The path of the padding steps: small ones, hollow to the eye."""
        return "".join(
            f"M{x + 2} {y + 2}h3v3h-3z"
            for x, y, real in self.cells()
            if not real
        )


def grid(mask: np.ndarray) -> Grid:
    """A mask as rows by steps, whatever its rank: it may be a wrong one."""
    rows = mask.shape[0] if mask.ndim else 1
    flat = mask.reshape(rows, mask.size // rows if rows else 0)
    steps = flat.shape[1]
    shown, cut = flat[:ROWS], None
    if steps > STEPS:
        cut = STEPS // 2
        shown = np.concatenate([shown[:, :cut], shown[:, -cut:]], axis=1)
    return Grid(shown, rows, steps, cut)
