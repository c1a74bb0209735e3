"""The picture: for each row with a target, ours and Keras by the floor."""

from pathlib import Path
from statistics import median
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from benchmarks import summary
from benchmarks.row import FLOOR
from benchmarks.row import KERAS
from benchmarks.row import OURS

MINE, MISSED, THEIRS, AIM = "#1769aa", "#c0392b", "#7f8c8d", "#1b1b1b"
TICKS = (0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


def draw(results: summary.Results, path: Path) -> None:
    """One panel for each backend; a row's shapes as a line, their median."""
    found = summary.cells(results, "predict")
    rows = list(dict.fromkeys(c["name"] for _, c in found if c.get("targets")))
    rows = rows or list(dict.fromkeys(cell["name"] for _, cell in found))
    backends = list(results["backends"])
    figure, panels = plt.subplots(
        1,
        len(backends),
        figsize=(9, 1.6 + 0.3 * len(rows)),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for backend, axes in zip(backends, panels[0]):
        mine = [cell for b, cell in found if b == backend]
        for place, row in enumerate(rows):
            _row(axes, place, [cell for cell in mine if cell["name"] == row])
        _label(axes, backend, rows)
    _scale(panels[0][0])
    figure.suptitle(
        f"Forward pass: time by that of the unmasked operation "
        f"({results['device'].upper()}, float32)",
        fontsize=12,
    )
    _legend(figure)
    figure.savefig(path, dpi=200, facecolor="white")
    plt.close(figure)


def _row(axes: Axes, place: int, cells: list[summary.Found]) -> None:
    ratios = _known(cells, OURS)
    if not ratios:
        return
    limits = [
        target["limit"]
        for cell in cells
        for target in cell.get("targets", ())
        if target["of"] == FLOOR
    ]
    over = any(
        (summary.ratio(cell, of=target["of"]) or 0) > target["limit"]
        for cell in cells
        for target in cell.get("targets", ())
        if target["of"] == FLOOR or not limits
    )
    said = cells[0].get("keras", "")
    theirs = [] if said.startswith("none") else _known(cells, KERAS)
    theirs = [1.0] if said.startswith("is the floor") else theirs
    if theirs:
        style = {"color": THEIRS, "zorder": 2}
        marker = "x" if "ignores" in said else "D"
        axes.plot(theirs, [place + 0.18] * len(theirs), lw=1.5, **style)
        axes.plot(median(theirs), place + 0.18, marker, ms=5, **style)
    color = MISSED if over else MINE
    axes.plot(ratios, [place - 0.12] * len(ratios), color=color, lw=2.5)
    axes.plot(median(ratios), place - 0.12, "o", ms=6, color=color, zorder=3)
    if limits:
        axes.plot(
            [max(limits)] * 2, [place - 0.38, place + 0.14], color=AIM, lw=2
        )


def _known(cells: list[summary.Found], name: str) -> list[float]:
    ratios = [summary.ratio(cell, name) for cell in cells]
    return sorted(one for one in ratios if one is not None)


def _label(axes: Axes, title: str, rows: list[str]) -> None:
    axes.set_title(title, fontsize=11)
    axes.axvline(1, color="#bbbbbb", lw=1, zorder=0)
    axes.grid(axis="x", color="#eeeeee", zorder=0)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelsize=10)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _scale(axes: Axes) -> None:
    """Of the first panel, which the others share."""
    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    low, high = min(low, 0.45), max(high, 4.5)
    axes.set_xlim(low, high)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Any) -> None:
    def line(**style: Any) -> Any:
        return plt.Line2D([], [], **style)

    figure.legend(
        handles=[
            line(color=MINE, marker="o", lw=2.5, label="ours: shapes, median"),
            line(color=AIM, marker="|", ms=12, mew=2, lw=0, label="target"),
            line(color=MISSED, marker="o", lw=2.5, label="a shape misses it"),
            line(color=THEIRS, marker="D", lw=1.5, label="Keras' layer"),
            line(
                color=THEIRS, marker="x", lw=0, label="Keras ignores the mask"
            ),
        ],
        loc="outside lower center",
        ncols=5,
        fontsize=8.5,
        frameon=False,
    )
