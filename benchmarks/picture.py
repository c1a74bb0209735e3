"""The picture: for each row with a target, ours and Keras by the floor."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from benchmarks import records
from benchmarks.records import Record
from benchmarks.report import OUTSIDE

MINE, MISSED, THEIRS, AIM = "#1769aa", "#c0392b", "#7f8c8d", "#1b1b1b"
TICKS = (0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)
LEGEND = (
    dict(color=MINE, marker="o", lw=2.5, label="ours: shapes, median"),
    dict(color=AIM, marker="|", ms=12, mew=2, lw=0, label="target"),
    dict(color=MISSED, marker="o", lw=2.5, label="a shape misses it"),
    dict(color=THEIRS, marker="D", lw=1.5, label="Keras' layer"),
    dict(color=THEIRS, marker="x", lw=0, label="Keras ignores the mask"),
)


def draw(found: list[Record], path: Path, device: str) -> None:
    """One panel for each backend; a row's shapes as a line, their median."""
    cells = records.select(found, mode="predict", dtype="float32")
    cells = [record for record in cells if record["group"] not in OUTSIDE]
    aims = [record for record in cells if record.get("limits")]
    rows = records.different(aims or cells, "row")
    backends = records.different(cells, "backend")
    shared = {"sharex": True, "sharey": True, "squeeze": False}
    size = (9, 1.6 + 0.3 * len(rows))
    figure, panels = plt.subplots(
        1, len(backends), figsize=size, layout="constrained", **shared
    )
    for backend, axes in zip(backends, panels[0]):
        for place, row in enumerate(rows):
            _row(axes, place, records.select(cells, backend=backend, row=row))
        _label(axes, backend, rows)
    _scale(panels[0][0])
    title = "Forward pass: time by that of the unmasked operation"
    figure.suptitle(f"{title} ({device.upper()}, float32)", fontsize=12)
    style = {"ncols": 5, "fontsize": 8.5, "frameon": False}
    lines = [plt.Line2D([], [], **line) for line in LEGEND]
    figure.legend(handles=lines, loc="outside lower center", **style)
    figure.savefig(path, dpi=200, facecolor="white")
    plt.close(figure)


def _row(axes: Axes, place: int, cells: list[Record]) -> None:
    ratios = sorted(records.known(map(records.ratio, cells)))
    if not ratios:
        return
    limits = [r["limits"]["floor"] for r in cells if "floor" in r["limits"]]
    overs = records.misses(cells)
    over = any(by > 1 for of, by in overs if of == "floor" or not limits)
    if (said := cells[0]["keras"]) != "none":
        theirs = records.known(records.ratio(r, "keras") for r in cells)
        theirs = sorted(theirs) or [1.0]  # Keras' layer is the floor
        style: dict[str, Any] = {"color": THEIRS, "zorder": 2}
        marker = "x" if said == "ignores the mask" else "D"
        axes.plot(theirs, [place + 0.18] * len(theirs), lw=1.5, **style)
        axes.plot(median(theirs), place + 0.18, marker, ms=5, **style)
    color = MISSED if over else MINE
    axes.plot(ratios, [place - 0.12] * len(ratios), color=color, lw=2.5)
    axes.plot(median(ratios), place - 0.12, "o", ms=6, color=color, zorder=3)
    if limits:
        ends = [place - 0.38, place + 0.14]
        axes.plot([max(limits)] * 2, ends, color=AIM, lw=2)


def _label(axes: Axes, title: str, rows: list[str]) -> None:
    axes.set_title(title, fontsize=11)
    axes.axvline(1, color="#bbbbbb", lw=1, zorder=0)
    axes.grid(axis="x", color="#eeeeee", zorder=0)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _scale(axes: Axes) -> None:
    """Of the first panel, which the others share."""
    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    low, high = min(low, 0.45), max(high, 4.5)
    axes.set_xlim(low, high)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())
