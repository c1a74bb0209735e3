"""The report of an inspection for a terminal: a table, then findings."""

import io
import sys
from collections.abc import Iterable
from collections.abc import Iterator

from rich.console import Console
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from keras_masking.inspector.data import CallRecord
from keras_masking.inspector.data import ReportData
from keras_masking.inspector.reports import labels

IN_A_PIPE = 100
WIDEST = 160  # beyond, columns would drift apart
WIDE = 90  # below, masks and arguments of `call` share a column
STYLES = {
    "finding": "bold red",
    "victim": "yellow",
    "harmless": "dim",
    "sound": "green",
    "quiet": "dim",
    "unknown": "bold yellow",
}


def as_text(report: ReportData, width: int | None = None) -> str:
    """The report as plain text.

    Args:
        report: The data of the report.
        width: The longest line. Defaults to the terminal's width, and to 100
            without a terminal.

    Returns:
        The text, without colour codes.
    """
    if width is None:
        width = (
            Console().width if sys.stdout and sys.stdout.isatty() else IN_A_PIPE
        )
    console = Console(
        file=io.StringIO(),
        width=width,
        color_system=None,
        force_terminal=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        show(report, console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def show(report: ReportData, console: Console) -> None:
    """Prints the report, in colours where the console has them.

    Args:
        report: The data of the report.
        console: Where to print it.
    """
    for part in _parts(report, console.width):
        console.print(part, highlight=False, markup=False, soft_wrap=False)


def _parts(report: ReportData, width: int) -> Iterator[RenderableType]:
    if report.calls:
        yield _calls(report, width)
    if report.findings:
        yield _head("Findings")
        for call in report.findings:
            yield from _finding(report, call)
    if report.missing:
        yield _head("Not measured")
        for sentence in report.missing:
            yield _item("unknown", sentence)
    if report.padding:
        yield _head("How the inputs are padded")
        for given in report.padding:
            yield _item("quiet", str(given))
    if report.drift:
        yield _head("Changes of the padding")
        for one in report.drift:
            kind, text = labels.drift(report, one)
            yield _item(kind, f"{one.change}: {text}")
    if report.outputs:
        yield _head("Does the mask reach the loss?")
        for output in report.outputs:
            kind, text = labels.reach(report, output)
            yield _item(kind, f"output {output.name}: {text}")
    if report.false_warnings:
        yield _head(
            "Keras warned that these destroy the mask, but they are harmless"
        )
        for call in report.false_warnings:
            yield _item("quiet", f"#{call.index} {call.path}")
    if report.notes:
        yield _head("Notes")
        for note in report.notes:
            yield _item("quiet", note)
    if report.error:
        yield _head("The model failed")
        yield _item("finding", report.error)
    yield Text()
    kind = labels.headline(report)[0]
    yield _text(report.summary(), STYLES[kind])


def _calls(report: ReportData, width: int) -> Table:
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), width=min(width, WIDEST)
    )
    wide = width >= WIDE
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("layer", ratio=4, overflow="fold")
    table.add_column("mask in -> mask out", ratio=5, overflow="fold")
    if wide:
        table.add_column("call got", ratio=2, overflow="fold")
    table.add_column("verdict", ratio=3, overflow="fold")
    for call in report.calls:
        kind = labels.kind(call)
        style = STYLES[kind] if kind in ("finding", "quiet") else ""
        mark = "! " if call.finding else ""
        cells: list[RenderableType] = [
            _text(f"{mark}{call.index}", style),
            _name(call, width, style),
            _masks(call, wide, min(width, WIDEST) // 3 - 6),
            _text(labels.verdict(call) or "-", STYLES[kind]),
        ]
        if wide:
            cells.insert(3, _text(labels.received(call) or "-", "dim"))
        table.add_row(*cells)
    return table


def _name(call: CallRecord, width: int, style: str) -> Padding:
    """The name, indented by depth, but never out of the column."""
    name = _text(call.name, style)
    name.append(f"  {_plain(call.type)}", "dim")
    if call.times > 1:
        name.append(f"  x {call.times}")
    return Padding(name, (0, 0, 0, min(2 * call.depth, width // 10)))


def _masks(call: CallRecord, wide: bool, room: int) -> Text:
    before = [one.text for one in labels.inputs(call)] or ["-"]
    after = [one.text for one in labels.outputs(call)] or ["raised"]
    longest = max(map(len, before)) + max(map(len, after))
    if longest < room and len(before) == len(after):
        lines = [f"{a} -> {b}" for a, b in zip(before, after)]
    else:
        lines = [*before, *(f"-> {one}" for one in after)]
    if not wide and labels.received(call):
        lines.append(f"call got: {labels.received(call)}")
    return _text("\n".join(lines))


def _finding(report: ReportData, call: CallRecord) -> Iterator[RenderableType]:
    head = f"#{call.index} {call.path} ({call.type}): {call.verdict}"
    yield _item("finding", head)
    for text in (
        call.reason,
        labels.moved(call),
        labels.victims(report, call),
    ):
        if text:
            yield Padding(_text(text), (0, 0, 0, 4))
    if call.advice:
        yield _hanging("=>", call.advice, "bold", indent=4)


def _head(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _item(kind: str, text: str) -> Padding:
    sign = {"finding": "!", "sound": "+", "unknown": "?"}.get(kind, "-")
    loud = kind in ("finding", "unknown")
    return _hanging(sign, text, STYLES[kind] if loud else "")


def _hanging(sign: str, text: str, style: str, indent: int = 2) -> Padding:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(sign, style), _text(text, style))
    return Padding(grid, (0, 0, 0, indent))


def _text(text: str, style: str = "") -> Text:
    """Text without markup or control characters."""
    return Text(_plain(text), style, overflow="fold")


def _plain(text: str) -> str:
    return "".join(_visible(text.expandtabs(4)))


def _visible(text: str) -> Iterable[str]:
    for char in text:
        if char == "\n" or char.isprintable():
            yield char
        else:
            yield char.encode("unicode_escape").decode()
