"""The report of an inspection as a picture of the most important calls."""

from pathlib import Path
from typing import Any

from keras_masking.inspector.data import CallRecord
from keras_masking.inspector.data import ReportData
from keras_masking.inspector.reports import labels
from keras_masking.inspector.reports.grid import grid

SHOWN = 40  # calls
NAMES, ARROW, LINE = 32.0, 4.0, 1.0  # in cells of a mask
INK, SOFT = "#1c2128", "#59636e"
REAL, PADDING, BAD, LATER = "#2563a8", "#76808c", "#c02a22", "#8a5a00"
COLORS = {"finding": BAD, "victim": LATER, "sound": INK}


def draw(report: ReportData, path: str | Path) -> None:
    """Draws the calls that make, change, lose or ignore the mask.

    Args:
        report: The data of the report.
        path: The file to write; its suffix, such as `.png` or `.svg`, sets the
            format.

    Raises:
        ImportError: If matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "`MaskReport.plot` needs matplotlib, which is not installed. "
            'Install it: pip install "keras-masking[plot]". '
            "`to_html` makes a page without it."
        ) from error
    calls = [call for call in report.calls if _of_interest(call)]
    more = len(calls) - SHOWN
    pen = _Pen()
    pen.text(0, labels.headline(report)[1], size=10, color=SOFT)
    pen.down(2.6)
    shown = calls[:SHOWN]
    wide = [_width(item) for call in shown for item in labels.inputs(call)]
    for call in shown:
        _call(pen, call, NAMES + max(wide, default=0))
    left = len(report.calls) - min(len(calls), SHOWN)
    text = f"{left} of {len(report.calls)} calls left out: "
    text += "they pass the mask on, or have none"
    text += f", or come after the first {SHOWN}" * (more > 0)
    pen.text(0, text if left else "", size=8, color=SOFT)
    pen.down(1.5)
    inch = 0.11  # of a step
    figure = Figure(figsize=(pen.right * inch, (pen.y + 4) * inch))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-2, pen.right), ylim=(pen.y, -4), aspect="equal")
    axes.axis("off")
    title: dict[str, Any] = {
        "size": 14,
        "weight": "bold",
        "color": INK,
        "parse_math": False,
    }
    axes.text(0, -2, _one_line(f"Masks of {report.model}", 70), **title)
    pen.onto(axes)
    figure.savefig(path, dpi=150, facecolor="white")


def _of_interest(call: CallRecord) -> bool:
    changes = call.role in ("generates", "transforms", "reduces", "drops")
    loses = labels.kind(call) == "victim" and call.victim_of is None
    return call.finding or changes or loses or call.role == "merges"


def _width(item: labels.TensorState) -> float:
    cells = 0
    if item.tensor.mask is not None:
        drawn = grid(item.tensor.mask)
        cells = drawn.mask.shape[1] + (drawn.cut is not None)
    return max(cells, len(item.text) * 0.7)


def _call(pen: "_Pen", call: CallRecord, arrow: float) -> None:
    color = COLORS.get(labels.kind(call), SOFT)
    top = pen.y
    indent = 1.5 * min(call.depth, 6)
    weight = "bold" if call.finding else "normal"
    name = _one_line(f"{call.index}  {call.name}", 34 - int(1.3 * indent))
    pen.text(indent, name, weight=weight)
    kind = f"{call.type} x {call.times}" if call.times > 1 else call.type
    pen.text(indent + 1.8, _one_line(kind, 34), size=8, color=SOFT, below=1.6)
    missed = labels.kind(call) in ("finding", "victim")
    _, before = pen.tensors(NAMES, labels.inputs(call), missed)
    pen.text(arrow + 1, "→", color=SOFT, below=0.5)
    x, after = pen.tensors(arrow + ARROW, labels.outputs(call), missed)
    if not call.outputs:
        pen.text(x, "raised", size=8, color=BAD)
        x += 6
    sign = "✕ " if call.finding else ""
    text = _one_line(f"{sign}{labels.verdict(call)}", 60)
    pen.verdicts.append((top, text, color, weight))
    pen.widest = max(pen.widest, x)
    pen.y = top + max(before, after, 3.2) + 1.4


class _Pen:
    """Collects shapes and texts, so that the figure can be made to fit."""

    def __init__(self) -> None:
        self.y = 0.0
        self.widest = NAMES
        self.texts: list[tuple[float, float, str, dict[str, Any]]] = []
        self.boxes: list[tuple[float, float, float, float, str]] = []
        self.verdicts: list[tuple[float, str, str, str]] = []

    @property
    def right(self) -> float:
        longest = max((len(text) for _, text, _, _ in self.verdicts), default=0)
        return max(self.widest + 2 + longest * LINE, 70.0)

    def down(self, by: float) -> None:
        self.y += by

    def text(
        self,
        x: float,
        text: str,
        *,
        size: float = 9,
        color: str = INK,
        weight: str = "normal",
        below: float = 0,
    ) -> None:
        style = {"size": size, "color": color, "weight": weight}
        self.texts.append((x, self.y + below, _one_line(text, 90), style))

    def tensors(
        self, x: float, those: list[labels.TensorState], missed: bool
    ) -> tuple[float, float]:
        """Draws tensors below each other; returns their right and lower end."""
        right, below = x, 0.0
        for item in those[:3]:
            width, height = self._tensor(x, below, item, missed)
            right, below = max(right, x + width), below + height + 0.6
        if len(those) > 3:
            text = f"and {len(those) - 3} more"
            self.text(x, text, size=7, color=SOFT, below=below + 0.3)
            below += 1.6
        return right, max(below - 0.6, 0)

    def _tensor(
        self, x: float, below: float, item: labels.TensorState, missed: bool
    ) -> tuple[float, float]:
        y, width, height = self.y + below - 0.5, 0.0, 0.0
        if item.state == "mask" and item.tensor.mask is not None:
            drawn = grid(item.tensor.mask)
            height, width = (max(n, 1) for n in drawn.mask.shape)
            for row, steps in enumerate(drawn.mask):
                for step, real in enumerate(steps):
                    gap = drawn.cut is not None and step >= drawn.cut
                    cell = (x + step + gap, y + row)
                    self._cell(*cell, bool(real))
        elif item.state == "lost":
            color = BAD if missed else SOFT
            width, height = 8, 2
            self.boxes.append((x, y, width, height, color))
            self.text(
                x + 1.2, "no mask", size=7, color=color, below=below + 0.5
            )
        text = item.text.replace("no mask ", "")
        self.text(x, text, size=7, color=SOFT, below=below + height + 0.3)
        return max(width, _width(item)), height + 1.4

    def _cell(self, x: float, y: float, real: bool) -> None:
        if real:
            self.boxes.append((x, y, 0.88, 0.88, "real"))
        else:
            self.boxes.append((x + 0.3, y + 0.3, 0.3, 0.3, "padding"))

    def onto(self, axes: Any) -> None:
        from matplotlib.collections import PatchCollection
        from matplotlib.patches import Rectangle

        for name, color in (("real", REAL), ("padding", PADDING)):
            cells = [
                Rectangle(b[:2], *b[2:4]) for b in self.boxes if b[4] == name
            ]
            axes.add_collection(
                PatchCollection(cells, facecolor=color, edgecolor="none")
            )
        for x, y, width, height, color in self.boxes:
            if color not in ("real", "padding"):
                box = Rectangle((x, y), width, height, fill=False)
                box.set(edgecolor=color, linestyle="--")
                axes.add_patch(box)
        for top, text, color, weight in self.verdicts:
            style = {"size": 9, "color": color, "weight": weight}
            self.texts.append((self.widest + 2, top, text, style))
        for x, y, text, style in self.texts:
            axes.text(x, y, text, va="center", parse_math=False, **style)


def _one_line(text: str, longest: int) -> str:
    """Text of any kind, made printable and cut to a length."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 3]}..."
