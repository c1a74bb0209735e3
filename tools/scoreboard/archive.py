"""Record files, with the reports from which pages are made.

A record has one row per line, so that a diff shows the rows that changed. For
versions that have a page it also holds the report: a character for each check,
and each distinct text once. It is read without Keras,
because the site is built without it.
"""

import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from string import ascii_letters
from typing import Any

from keras_masking.contract.report import Report
from keras_masking.contract.report import Result
from keras_masking.contract.reports.html import as_html
from keras_masking.contract.reports.summary import Reports
from keras_masking.contract.reports.summary import every_report
from keras_masking.contract.reports.summary import rows
from tools import DOCS
from tools.scoreboard.causes import CAUSES

RECORDS = DOCS / "scoreboard" / "records"
# The pages of reports, and what they are about.
PAGES = {
    "keras": "scoreboard.html",
    "scores": "scoreboard-scores.html",
    "others": "scoreboard-others.html",
}
TITLES = {
    "keras": "Keras layers",
    "scores": "Keras losses and metrics",
    "others": "Layers around Keras",
}
# What a record, and the report in it, have many of.
MANY = {"rows", "report", "reasons", "checks", "layers", "failures"}
PASS, FAIL = ".", "x"
OF_OTHERS = " "  # a check of metrics for a loss, and so on
PLACES = re.compile(r"/[^\s\"']*/site-packages/")

Record = dict[str, Any]
# The names of what makes a layer fail a check.
Because = Callable[[str, str], list[str]]


def load(path: Path) -> Record:
    return json.loads(path.read_text("utf-8"))


def save(path: Path, known: Record) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(_lines(known) + "\n", "utf-8")


def _lines(thing: Any) -> str:
    """JSON with each entry of a record, and of what holds many, on a line."""
    if isinstance(thing, list):
        return "[\n" + ",\n".join(map(_line, thing)) + "\n]"
    entries = [
        f"{_line(key)}: {_lines(value) if key in MANY else _line(value)}"
        for key, value in thing.items()
    ]
    return "{\n" + ",\n".join(entries) + "\n}"


def _line(thing: Any) -> str:
    return json.dumps(thing, ensure_ascii=False)


def pack(reports: Reports, because: Because) -> Record:
    """The reports as a record keeps them."""
    every = every_report(reports)
    results = [result for report in every for result in report]
    quiet = sorted(
        {(r.status, r.reason) for r in results} - {("pass", ""), ("fail", "")}
    )
    letters = dict(zip(quiet, ascii_letters))
    letters |= {("pass", ""): PASS, ("fail", ""): FAIL}
    checks: Record = {}
    for result in results:
        texts = (result.statement, result.cause, result.right)
        if not checks.get(result.check, ["", "", ""])[2]:
            checks[result.check] = [result.level, *texts]
    layers: Record = {}
    failures: list[Record] = []
    for name, by in rows(reports):
        scripts: list[str] = []
        failures += _failures(name, by, because, scripts)
        report = min(by.values(), key=lambda r: r.role == "unknown")
        layers[name] = {
            "role": report.role,
            "inferred": report.inferred,
            "marks": {
                backend: _marks(report, checks, letters)
                for backend, report in by.items()
            },
            "scripts": scripts,
        }
        if report.examples:
            layers[name]["examples"] = report.examples
    return {
        "versions": {b: those[0].versions for b, those in reports.items()},
        "reasons": {letters[said]: [*said] for said in quiet},
        "checks": checks,
        "layers": layers,
        "failures": failures,
    }


def _marks(
    report: Report, checks: Record, letters: Mapping[tuple[str, str], str]
) -> str:
    """A character for each check."""
    marks = {r.check: letters[r.status, r.reason] for r in report}
    return "".join(marks.get(check, OF_OTHERS) for check in checks)


def _failures(
    name: str,
    by: dict[str, Report],
    because: Because,
    scripts: list[str],
) -> Iterator[Record]:
    """Each distinct failure of a layer, and the backends that have it."""
    on: dict[tuple[str, ...], list[str]] = {}
    for backend, report in by.items():
        for r in report:
            if r.status != "fail":
                continue
            where = "; ".join(part for part in (r.where, r.smallest) if part)
            # Not the place of packages on the machine, in texts of errors.
            seen = PLACES.sub("", r.seen)
            script = r.script.replace(f'"{r.check}"', "{check}")
            on.setdefault((r.check, seen, where, script), []).append(backend)
    for (check, seen, where, script), backends in on.items():
        if script not in scripts:
            scripts.append(script)
        yield {
            "layer": name,
            "check": check,
            "on": backends,
            "because": because(name, check),
            "seen": seen,
            "where": where,
            "script": scripts.index(script),
        }


def unpack(report: Record) -> dict[str, list[Report]]:
    """The reports that `pack` kept; failures are expected, with the reason."""
    failures = {
        (f["layer"], f["check"], backend): f
        for f in report["failures"]
        for backend in f["on"]
    }
    reports: dict[str, list[Report]] = {b: [] for b in report["versions"]}
    for name, layer in report["layers"].items():
        for backend, marks in layer["marks"].items():
            results = []
            for (check, texts), mark in zip(report["checks"].items(), marks):
                if mark == OF_OTHERS:
                    continue
                level, statement, cause, right = texts
                texts = {"statement": statement, "cause": cause, "right": right}
                if failure := failures.get((name, check, backend)):
                    status, reason = "xfail", reason_of(failure["because"])
                    script = layer["scripts"][failure["script"]]
                    texts["script"] = script.replace("{check}", f'"{check}"')
                    texts |= {k: failure[k] for k in ("seen", "where")}
                elif mark == PASS:
                    status, reason = "pass", ""
                else:
                    status, reason = report["reasons"][mark]
                results.append(
                    Result(name, check, level, status, reason=reason, **texts)
                )
            reports[backend].append(
                Report(
                    name,
                    layer["role"],
                    layer["inferred"],
                    backend,
                    report["versions"][backend],
                    results,
                    layer.get("examples", ""),
                )
            )
    return reports


def reason_of(names: list[str]) -> str:
    """Causes in words."""
    return "; ".join(CAUSES[name].short for name in names)


def html_pages() -> dict[str, str]:
    """The pages of all records that hold a report, by their file's name."""
    pages = {}
    for path in sorted(RECORDS.glob("*.json")):
        known = load(path)
        if "report" in known:
            what = path.stem.partition("-")[0]
            pages[PAGES[what]] = as_html(
                unpack(known["report"]),
                [],
                title=f"{TITLES[what]} and the mask contract",
                command=known["command"],
            )
    return pages
