"""Tables and numbers of the page."""

from collections.abc import Iterable
from typing import Any

from benchmarks.summary import Found


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head, rows = list(head), [list(map(str, row)) for row in rows]
    if not rows:
        return "Nothing was measured.\n"
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float | None) -> str:
    if value is None or value != value:
        return "-"
    if abs(value) < 0.0005:
        return "0"
    for limit, form in ((0.0995, ".3f"), (9.95, ".2f"), (99.5, ".1f")):
        if abs(value) < limit:
            return f"{value:{form}}"
    return f"{value:.0f}"


def with_spread(found: Found | None) -> str:
    if found is None:
        return "-"
    low, high = number(found["q1"]), number(found["q3"])
    return f"{number(found['median'])} [{low}, {high}]"


def safe(text: str) -> str:
    """As one cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
