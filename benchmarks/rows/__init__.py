"""What is timed: every op and layer of ours that computes."""

from dataclasses import replace

from benchmarks.row import Row
from benchmarks.rows import layers
from benchmarks.rows import others

ROWS: dict[str, Row] = {row.name: row for row in (*layers.ROWS, *others.ROWS)}
LONGER = tuple((4, n, 64) for n in (128, 512, 2048, 8192, 16384))
GROWN = {"group": "growth", "shapes": LONGER, "modes": ("predict",)}
GROWN |= {"theirs": None, "targets": {}, "closely": False, "nan": False}
for name in ("mean", "max", "softmax", "conv_64", "average_2"):
    row = replace(ROWS[name], name=f"{name}_growth", paddings=(), **GROWN)
    ROWS[row.name] = row
