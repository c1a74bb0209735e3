"""Records of a run, one JSON object per line; the last line of a cell counts.

A run needs Keras, but records do not: the page is made from records alone.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

Record = dict[str, Any]
KEY = ["backend", "checkout", "turn", "group", "row", "mode", "dtype", "shape"]


def key(record: Record) -> tuple[str, ...]:
    return tuple(str(record.get(name)) for name in KEY)


def read(file: Path) -> list[Record]:
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return list({key(r): r for r in map(json.loads, lines)}.values())


def append(file: Path, record: Record) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record) + "\n")


def select(records: Iterable[Record], **wanted: Any) -> list[Record]:
    return [r for r in records if all(r.get(k) == wanted[k] for k in wanted)]


def different(records: Iterable[Record], name: str) -> list[Any]:
    return list(dict.fromkeys(r[name] for r in records if name in r))


def contender(record: Record, name: str = "ours") -> Record:
    return record.get("contenders", {}).get(name, {})


def ratio(
    record: Record, name: str = "ours", of: str = "floor"
) -> float | None:
    """The median over the rounds."""
    return contender(record, name).get(f"to_{of}", (None, None))[1]


def known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def misses(records: Iterable[Record]) -> list[tuple[str, float]]:
    """For each target that was measured: of what, the ratio by the limit."""
    asked = [(r, *one) for r in records for one in r.get("limits", {}).items()]
    found = [(of, ratio(r, of=of), limit) for r, of, limit in asked]
    return [(of, by / limit) for of, by, limit in found if by is not None]


def number(value: float) -> str:
    places = sum(abs(value) < edge for edge in (0.0995, 9.95, 99.5))
    return f"{value:.{places}f}"


def middle(values: Iterable[float | None]) -> str:
    return number(median(found)) if (found := known(values)) else "-"


def size(record: Record) -> str:
    return " x ".join(map(str, record["shape"]))


def line(record: Record) -> str:
    """A cell for a terminal: times, and ratios with their quartiles."""
    text = " ".join(record[k] for k in ("backend", "row", "mode", "dtype"))
    text = f"{text} {size(record)}"
    for name, one in record.get("contenders", {"": record}).items():
        text += f"\n  {name}: {one.get('error') or number(one['ms']) + ' ms'}"
        for of in (of for of in ("floor", "keras") if f"to_{of}" in one):
            text += f"; of {of} " + ", ".join(map(number, one[f"to_{of}"]))
    return text
