"""The reports of all backends as a table, as texts, and as files."""

import json
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_masking import __version__
from keras_masking.contract.report import BAD
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result

Reports = Mapping[str, list[Report]]

SLOWEST = 5
OK, BREACH, KIT_ERROR, NOTHING = 0, 1, 3, 5


def exit_code(reports: Reports) -> int:
    every = _every(reports)
    if any(r.status == "kit-error" for report in every for r in report):
        return KIT_ERROR
    if any(report.failures for report in every):
        return BREACH
    if not every or not all(report.ran for report in every):
        return NOTHING
    return OK


def matrix(reports: Reports) -> list[list[str]]:
    """Rows of a layer, its role, and a word for each backend."""
    layers: dict[str, dict[str, Report]] = {}
    for backend, those in reports.items():
        for report in those:
            layers.setdefault(report.layer, {})[backend] = report
    rows = []
    for layer, by in layers.items():
        roles = {r.role: r.inferred for r in by.values() if r.role != "unknown"}
        role = ", ".join(
            f"{name} (inferred)" if inferred else name
            for name, inferred in roles.items()
        )
        cells = [_cell(by[b]) if b in by else "-" for b in reports]
        rows.append([layer, role, *cells])
    return rows


def _cell(report: Report) -> str:
    if any(r.status == "kit-error" for r in report):
        return "KIT-ERROR"
    if report.failures:
        return f"FAIL {len(report.failures)} of {report.ran}"
    return f"pass {report.ran}" if report.ran else "nothing ran"


def breaches(reports: Reports) -> list[tuple[list[str], Result]]:
    """Each bad result once, with the backends that have it.

    The numbers in the text are the first backend's.
    """
    found: dict[tuple[str, str, str], tuple[list[str], Result]] = {}
    for backend, those in reports.items():
        for result in (r for report in those for r in report):
            if result.status not in BAD:
                continue
            key = (result.layer, result.check, result.status)
            found.setdefault(key, ([], result))[0].append(backend)
    return list(found.values())


def slowest(reports: Reports) -> list[tuple[float, str]]:
    timed = [
        (result.seconds, f"{result.check}  {result.layer}  on {report.backend}")
        for report in _every(reports)
        for result in report
        if result.seconds
    ]
    return sorted(timed, reverse=True)[:SLOWEST]


def last_line(reports: Reports) -> str:
    """How many checks ran on each backend."""
    told = []
    for backend, those in reports.items():
        ran = sum(report.ran for report in those)
        bad = sum(len(report.failures) for report in those)
        told.append(f"{backend} {ran} ({bad} failed)")
    return "checks that ran: " + ", ".join(told)


def write(path: Path, reports: Reports, targets: Iterable[str]) -> None:
    """The file that the suffix asks for."""
    text = WRITERS[path.suffix](reports, list(targets))
    path.write_text(text, encoding="utf-8")


def as_json(reports: Reports, targets: list[str]) -> str:
    data: dict[str, Any] = {
        "keras_masking": __version__,
        "targets": targets,
        "exit_code": exit_code(reports),
        "reports": [report.to_dict() for report in _every(reports)],
    }
    return json.dumps(data, indent=1) + "\n"


def as_markdown(reports: Reports, targets: list[str]) -> str:
    head = ["layer", "role", *reports]
    lines = [
        "# Mask contract",
        "",
        f"`keras-masking check {' '.join(targets)}`, "
        f"keras-masking {__version__}",
        "",
        _row(head),
        _row(["---"] * len(head)),
        *map(_row, matrix(reports)),
        "",
        last_line(reports),
        "",
    ]
    for backends, result in breaches(reports):
        lines += [
            f"## {result.layer}: {result.check} ({', '.join(backends)})",
            "",
            "````text",
            str(result),
            "````",
            "",
        ]
    return "\n".join(lines)


WRITERS = {".json": as_json, ".md": as_markdown}


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def _every(reports: Reports) -> list[Report]:
    return [report for those in reports.values() for report in those]
