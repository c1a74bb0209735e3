"""The drawing of a mask: which rows and steps are shown, and SVG paths."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

ROWS = 8
STEPS = 24  # if there are more, half from the start, half from the end
PITCH = 8
CELL, DOT = 7, 3  # the sizes of real and padding steps
GAP = 12  # width of the gap where steps are left out


@dataclass(frozen=True)
class Grid:
    """The part of a mask that is drawn.

    Attributes:
        mask: The drawn rows by the drawn steps.
        rows: How many rows there are.
        steps: How many steps there are.
        cut: The position of the first step after the gap; None without a gap.
    """

    mask: np.ndarray
    rows: int
    steps: int
    cut: int | None

    @property
    def left_out(self) -> str:
        """Which rows and steps are drawn, if not all."""
        rows, steps = self.mask.shape
        parts = []
        if rows < self.rows:
            parts.append(f"first {rows} of {self.rows} rows")
        if steps < self.steps:
            half = steps // 2
            parts.append(f"first and last {half} of {self.steps} steps")
        return ", ".join(parts)

    def runs(self, real: bool) -> Iterator[tuple[int, int, int]]:
        """Runs of equal steps: the corner of the first, and how many."""
        ends = {0, self.cut or 0, self.mask.shape[1]}
        for row, steps in enumerate(self.mask == real):
            padded = np.concatenate([[False], steps, [False]]).astype(np.int8)
            edges = {*np.flatnonzero(np.diff(padded)).tolist(), *ends}
            for start, stop in pairwise(sorted(edges)):
                if steps[start]:
                    gap = GAP if self.cut and start >= self.cut else 0
                    yield start * PITCH + gap, row * PITCH, stop - start

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
        """The path of the real steps, a dash each: full squares."""
        return self._path(real=True, side=CELL)

    @property
    def padding(self) -> str:
        """The path of the padding steps, a dash each: small squares."""
        return self._path(real=False, side=DOT)

    def _path(self, real: bool, side: int) -> str:
        aside = (CELL - side) // 2
        return "".join(
            f"M{x + aside} {y + CELL / 2}h{(count - 1) * PITCH + side}"
            for x, y, count in self.runs(real)
        )


def grid(mask: np.ndarray) -> Grid:
    """The drawing of a mask of any rank: it may be a faulty one."""
    rows = mask.shape[0] if mask.ndim else 1
    flat = mask.reshape(rows, mask.size // rows if rows else 0)
    steps = flat.shape[1]
    shown, cut = flat[:ROWS], None
    if steps > STEPS:
        cut = STEPS // 2
        shown = np.concatenate([shown[:, :cut], shown[:, -cut:]], axis=1)
    return Grid(shown, rows, steps, cut)
