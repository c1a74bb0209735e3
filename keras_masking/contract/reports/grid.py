"""The cells of the page: a layer, a check, and its results by backend."""

import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from keras_masking.contract.report import Report
from keras_masking.contract.report import Result
from keras_masking.contract.reports import summary

WORST = ("kit-error", "fail", "xpass", "xfail")
PARTS = ("seen", "where", "likely", "repro")

# The backends that share a text, empty if all do, and the text.
Variant = tuple[str, str]


@dataclass
class Rule:
    """A check, whose texts appear once on the page."""

    id: str
    name: str
    level: str
    statement: str = ""
    cause: str = ""
    right: str = ""


@dataclass
class Group:
    """The backends on which a cell has one status, and their texts."""

    status: str
    backends: str
    reasons: list[Variant]
    parts: dict[str, list[Variant]]

    @property
    def violation(self) -> bool:
        return self.status in ("fail", "xfail")


@dataclass
class Cell:
    """A layer and a check: a mark for all backends, or one for each."""

    id: str
    rule: Rule
    marks: list[str]
    text: str
    groups: list[Group] = field(default_factory=list)


@dataclass
class Row:
    id: str
    name: str
    roles: list[str]
    role: str
    counts: str
    cells: list[Cell | None]

    @property
    def entries(self) -> list[Cell]:
        """The cells in which something did not pass, failures first."""
        cells = [cell for cell in self.cells if cell and cell.groups]
        quiet = {"n/a", "blocked"}
        return sorted(
            cells, key=lambda cell: {g.status for g in cell.groups} <= quiet
        )


def slug(text: str) -> str:
    """The text as an id, a link or a class."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "-"


def rules_of(reports: summary.Reports) -> dict[str, Rule]:
    """All checks in the reports, by name."""
    rules: dict[str, Rule] = {}
    taken: set[str] = set()
    for backend_reports in reports.values():
        for result in (r for report in backend_reports for r in report):
            if result.check not in rules:
                rules[result.check] = Rule(
                    _unique(slug(result.check), taken),
                    result.check,
                    result.level,
                )
            rule = rules[result.check]
            rule.statement = rule.statement or result.statement
            if not rule.cause:
                rule.cause, rule.right = result.cause, result.right
    return rules


def row_of(
    name: str,
    by: Mapping[str, Report],
    backends: list[str],
    rules: Mapping[str, Rule],
    taken: set[str],
) -> Row:
    id = _unique(slug(name), taken)
    found = {b: {r.check: r for r in report} for b, report in by.items()}
    cells = []
    for rule in rules.values():
        here = {b: found[b][rule.name] for b in found if rule.name in found[b]}
        cells.append(_cell(f"{id}/{rule.id}", rule, here, backends))
    return Row(
        id,
        name,
        list(dict.fromkeys(report.role for report in by.values())),
        summary.role(by.values()),
        _count_statuses(by),
        cells,
    )


def _count_statuses(by: Mapping[str, Report]) -> str:
    """How many checks of a layer ran, and how many fail on which backends."""
    ran = sorted({report.ran for report in by.values()})
    many = str(ran[0]) if len(ran) == 1 else f"{ran[0]} to {ran[-1]}"
    ends = []
    for backend, report in by.items():
        counts = Counter(
            "for information"
            if r.status == "fail" and not r.counts
            else r.status
            for r in report
            if r.status not in ("pass", "n/a", "blocked")
        )
        text = ", ".join(f"{counts[s]} {s}" for s in ordered(counts, WORST))
        ends.append((backend, text or "none fail"))
    texts = _merged(ends)
    if texts == [("", "none fail")]:
        return f"{many} pass" if any(ran) else "nothing ran"
    text = "; ".join(f"{t} on {on}" if on else t for on, t in texts)
    return f"{text}, of {many} that ran"


def _cell(
    id: str, rule: Rule, here: Mapping[str, Result], backends: list[str]
) -> Cell | None:
    if not here:
        return None
    by_status: dict[str, dict[str, Result]] = {}
    for backend, result in here.items():
        by_status.setdefault(result.status, {})[backend] = result
    marks = [here[b].status if b in here else "" for b in backends]
    if len(set(marks)) == 1:
        marks, text = marks[:1], marks[0]
    else:
        parts = [f"{s} on {', '.join(on)}" for s, on in by_status.items()]
        text = "; ".join(parts)
    if rule.level == "information" and "fail" in by_status:
        text += " (for information)"
    groups = [
        _group(status, rule, on)
        for status, on in by_status.items()
        if status != "pass"
    ]
    return Cell(id, rule, marks, f"{rule.name}: {text}", groups)


def _group(status: str, rule: Rule, on: Mapping[str, Result]) -> Group:
    variants: dict[str, list[Variant]] = {part: [] for part in PARTS}
    for backend, r in on.items():
        where = "; ".join(p for p in (r.where, r.smallest) if p)
        likely = f"{r.cause}\n{r.right}".strip()
        if (r.cause, r.right) == (rule.cause, rule.right):
            likely = ""  # the same as in the rule
        texts = (r.seen, where, likely, r.script)
        for part, text in zip(PARTS, texts, strict=True):
            variants[part].append((backend, text))
    return Group(
        status,
        ", ".join(on),
        _merged([(backend, r.reason) for backend, r in on.items()]),
        {part: _merged(texts) for part, texts in variants.items()},
    )


def _merged(variants: Iterable[tuple[str, str]]) -> list[Variant]:
    """Each text once, with its backends if there are several texts."""
    texts: dict[str, list[str]] = {}
    for backend, text in variants:
        texts.setdefault(text, []).append(backend)
    if len(texts) == 1:
        return [("", text) for text in texts if text]
    return [(", ".join(on), text) for text, on in texts.items() if text]


def ordered(found: Iterable[str], order: Iterable[str]) -> list[str]:
    """The names that were found, in the given order; unknown ones last."""
    there = set(found)
    known = [name for name in order if name in there]
    return [*known, *sorted(there - set(known))]


def _unique(word: str, taken: set[str]) -> str:
    number, name = 1, word
    while name in taken:
        number += 1
        name = f"{word}-{number}"
    taken.add(name)
    return name
