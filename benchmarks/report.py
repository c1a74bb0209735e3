"""The page: the results of each row, from the records of a run."""

from collections.abc import Callable
from collections.abc import Iterable
from statistics import median
from typing import Any

import numpy as np

from benchmarks import records as rec
from benchmarks.records import Record
from benchmarks.records import contender
from benchmarks.records import ratio
from benchmarks.records import select

Say = Callable[[list[Record]], str]
OTHER_PADDINGS = ("ours, NaN", "ours, 10%", "ours, 90%")
SIDES = ("floor", "keras", "ours")
OUTSIDE = ("parts", "growth", "calls", "models", "machine")  # of the summary
LONG = 2048  # steps, from which on the growth is fitted
MACHINE = ("backend", "date", "processor", "cores", "threads", "versions")
CELL = ("backend", "row", "mode", "dtype", "shape")


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [list(head), *(list(map(str, row)) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text if len(lines) > 2 else ""


def by_row(cells: list[Record], say: Say) -> str:
    """A line for each row, a column for each backend."""
    backends, rows = rec.different(cells, "backend"), []
    for name in rec.different(cells, "row"):
        line = [say(select(cells, row=name, backend=b)) for b in backends]
        if any(line):
            rows.append([f"`{name}`", *(word or "-" for word in line)])
    return table(("row", *backends), rows)


def ratios(cells: list[Record]) -> str:
    """Ours, Keras' layer, others: typical and worst; bold: misses a target."""
    of = "floor" if any(contender(r, "floor") for r in cells) else "keras"
    names = dict.fromkeys(n for r in cells for n in r.get("contenders", {}))
    words = []
    for name in sorted(names, key=lambda name: name != "ours"):
        found = rec.known(ratio(record, name, of) for record in cells)
        # Keras' layer may be there for scale alone.
        scale = name == "keras" and cells[0].get("keras") == "none"
        if found and not scale and name not in OTHER_PADDINGS:
            both = map(rec.number, (median(found), max(found)))
            text = ", ".join(dict.fromkeys(both))
            words.append(text if name == "ours" else f"{name} {text}")
    missed = any(by > 1 for _, by in rec.misses(cells))
    return "; ".join([f"**{words[0]}**", *words[1:]] if missed else words)


def sides(what: str) -> Say:
    """The typical number of each, if two of them have one."""

    def say(cells: list[Record]) -> str:
        words = [
            rec.middle(contender(r, n).get(what) for r in cells) for n in SIDES
        ]
        return " / ".join(words) if words.count("-") < len(words) - 1 else ""

    return say


def padded(cells: list[Record]) -> str:
    """Ours with other padding, where it was timed."""
    some = [r for r in cells if any(contender(r, n) for n in OTHER_PADDINGS)]
    names = ("ours", *OTHER_PADDINGS)
    words = [rec.middle(ratio(r, name) for r in some) for name in names]
    return " / ".join(words) if some else ""


def growth(cells: list[Record]) -> str:
    """The exponents of growth of the times of floor and ours in the steps."""
    words = []
    for name in ("floor", "ours"):
        times = {r["shape"][1]: contender(r, name).get("ms") for r in cells}
        long = [(n, ms) for n, ms in times.items() if ms and n >= LONG]
        if len(long) > 1:
            words.append(rec.number(np.polyfit(*np.log(long).T, 1)[0]))
    return " / ".join(words)


def worst(cells: list[Record]) -> str:
    bad = max(cells, key=lambda r: ratio(r) or 0, default={})
    found = rec.number(ratio(bad) or 0)
    return f"{found} (`{bad['row']}`, {rec.size(bad)})" if bad else "-"


def headline(cells: list[Record]) -> str:
    head = ("backend", "typical", "worst with a target", "worst of all")
    rows, forward = [], select(cells, mode="predict", dtype="float32")
    for backend in rec.different(cells, "backend"):
        mine = select(forward, backend=backend)
        aims = [record for record in mine if record.get("limits")]
        asked = rec.misses(select(cells, backend=backend))
        met = f"{sum(by <= 1 for _, by in asked)} of {len(asked)}"
        line = [backend, rec.middle(map(ratio, mine)), worst(aims), worst(mine)]
        rows.append([*line, met])
    return (
        "Time of the forward pass, float32, relative to the same operation "
        f"without a mask: typically {rec.middle(map(ratio, forward))}, "
        f"at worst {worst(forward)}.\n\n" + table((*head, "targets met"), rows)
    )


def failures(cells: list[Record]) -> str:
    found: dict[tuple[str, ...], int] = {}
    for record in cells:
        for name, one in {"": record, **record.get("contenders", {})}.items():
            if why := one.get("error"):
                what = record["backend"], f"`{record['row']}` {name}", why
                found[what] = found.get(what, 0) + 1
    rows = [(*what, count) for what, count in found.items()]
    return table(("backend", "what", "why", "cells"), rows)


def page(found: list[Record]) -> str:
    """The results of a run. docs/speed.md says how they are measured."""
    machines = [[r[k] for k in MACHINE] for r in select(found, group="machine")]
    cells = [record for record in found if record["group"] != "machine"]
    some = [record for record in cells if record["group"] not in OUTSIDE]
    sections = {
        "What a mask costs": headline(some),
        "Machine": table(MACHINE, machines),
    }
    for mode in rec.different(cells, "mode"):
        for dtype in rec.different(cells, "dtype"):
            some = select(cells, mode=mode, dtype=dtype)
            sections[f"Ratios: `{mode}`, {dtype}"] = by_row(some, ratios)
        some = select(cells, mode=mode, dtype="float32")
        title = f"`{mode}`, floor / keras / ours"
        sections[f"First call, ms: {title}"] = by_row(some, sides("first_ms"))
        sections[f"Temporaries: {title}"] = by_row(some, sides("memory"))
    forward = select(cells, mode="predict", dtype="float32")
    grown = select(cells, group="growth")
    what = {r["row"]: (r["ours"], r["keras"]) for r in cells if "ours" in r}
    what = [(f"`{name}`", *both) for name, both in what.items()]
    sections |= {
        "Padding: a half / NaN / 10 % / 90 %": by_row(forward, padded),
        "Growth: exponent of the steps, floor / ours": by_row(grown, growth),
        "What is compared": table(("row", "ours", "Keras layer"), what),
        "Not measured": failures(cells),
    }
    texts = [
        f"## {title}\n\n{text}" for title, text in sections.items() if text
    ]
    return "\n".join(texts).removeprefix("#")


def against(found: list[Record]) -> str:
    """Two checkouts whose processes alternated: medians over the processes.

    It compares ratios to the floor or to the Keras layer, which both run.
    """
    here = rec.different(found, "checkout")[0]
    cells: dict[tuple[str, ...], list[list[list[float]]]] = {}
    for record in (record for record in found if "contenders" in record):
        of = "floor" if contender(record, "floor") else "keras"
        for name in filter(
            lambda n: n.startswith("ours"), record["contenders"]
        ):
            cell = *(str(record[key]) for key in CELL), name, of
            both = cells.setdefault(cell, [[[], []], [[], []]])
            ms, ratios = both[record["checkout"] == here]
            ms += rec.known([contender(record, name).get("ms")])
            ratios += rec.known([ratio(record, name, of)])
    rows = []
    for cell, ((ms, then), (ms_here, now)) in cells.items():
        change = [median(now) / median(then)] if then and now else []
        rows.append([*cell, *map(rec.middle, (ms, ms_here, then, now, change))])
    head = ("there, ms", "here, ms", "there, ratio", "here, ratio", "change")
    return table((*CELL, "what", "of", *head), rows)
