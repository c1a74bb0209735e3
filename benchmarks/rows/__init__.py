"""What is timed: every op and layer of ours that computes."""

from benchmarks.row import Row
from benchmarks.rows import attention
from benchmarks.rows import losses
from benchmarks.rows import masks
from benchmarks.rows import mixing
from benchmarks.rows import order
from benchmarks.rows import parts
from benchmarks.rows import pooling
from benchmarks.rows import reductions

MODULES = (reductions, pooling, mixing, attention, order, losses, masks, parts)
ROWS: dict[str, Row] = {
    row.name: row for module in MODULES for row in module.rows.rows
}


def chosen(only: list[str]) -> list[Row]:
    """The rows of these names or groups; all if there are none."""
    return [
        row
        for row in ROWS.values()
        if not only or row.name in only or row.group in only
    ]
