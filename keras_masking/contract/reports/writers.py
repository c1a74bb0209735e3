"""The reports of all backends as a table, as texts, and as files."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from keras_masking import __version__
from keras_masking.contract.report import BAD
from keras_masking.contract.report import RAN
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result

Reports = Mapping[str, list[Report]]

SCHEMA = 1  # of the JSON file
SLOWEST = 5
OK, BREACH, KIT_ERROR, NOTHING = 0, 1, 3, 5


class NoReport(Exception):
    """A file is no JSON report of the kit."""


def exit_code(reports: Reports) -> int:
    every = every_report(reports)
    if any(r.status == "kit-error" for report in every for r in report):
        return KIT_ERROR
    if any(report.failures for report in every):
        return BREACH
    if not every or not all(report.ran for report in every):
        return NOTHING
    return OK


def rows(reports: Reports) -> Iterator[tuple[str, dict[str, Report]]]:
    """Each layer with its report on each backend, two of one name apart."""
    layers: dict[tuple[str, int], dict[str, Report]] = {}
    for backend, those in reports.items():
        seen: Counter[str] = Counter()
        for report in those:
            seen[report.layer] += 1
            key = (report.layer, seen[report.layer])
            layers.setdefault(key, {})[backend] = report
    for (name, _), by in layers.items():
        yield name, by


def matrix(reports: Reports) -> list[list[str]]:
    """Rows of a layer, its role, and a word for each backend."""
    return [
        [
            layer,
            role(by.values()),
            *[outcome(by[b]) if b in by else "-" for b in reports],
        ]
        for layer, by in rows(reports)
    ]


def role(those: Iterable[Report]) -> str:
    """The role of one layer, in a word, as its backends found it."""
    roles = {r.role: r.inferred for r in those if r.role != "unknown"}
    return ", ".join(
        f"{name} (inferred)" if inferred else name
        for name, inferred in roles.items()
    )


def outcome(report: Report) -> str:
    if any(r.status == "kit-error" for r in report):
        return "KIT-ERROR"
    ends = Counter(r.status for r in report if r.status in RAN)
    if report.failures:
        known = f", xfail {ends['xfail']}" if ends["xfail"] else ""
        return f"FAIL {len(report.failures)} of {report.ran}{known}"
    told = [
        f"{'information' if status in BAD else status} {number}"
        for status, number in ends.items()
    ]
    return ", ".join(told) or "nothing ran"


def breaches(reports: Reports) -> list[tuple[list[str], Result]]:
    """Each bad result once, with the backends that have it.

    The numbers in the text are the first backend's.
    """
    told: list[tuple[list[str], Result]] = []
    for _, by in rows(reports):
        found: dict[tuple[str, str], tuple[list[str], Result]] = {}
        for backend, report in by.items():
            for result in report:
                if result.status in BAD:
                    key = (result.check, result.status)
                    found.setdefault(key, ([], result))[0].append(backend)
        told += found.values()
    return told


def slowest(reports: Reports) -> list[tuple[float, str]]:
    timed = [
        (result.seconds, f"{result.check}  {result.layer}  on {report.backend}")
        for report in every_report(reports)
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


def verdict(reports: Reports) -> tuple[str, str]:
    """A status and a sentence: what to know first."""
    layers = [list(by.values()) for _, by in rows(reports)]
    every = f"{len(layers)} layer{'s' * (len(layers) != 1)}"

    def count(status: str) -> int:
        return sum(
            any(r.status == status for report in layer for r in report)
            for layer in layers
        )

    known = count("xfail")
    match exit_code(reports):
        case _ if not layers:
            return "blocked", "No layer was checked."
        case 0:
            but = f", but known ones in {known}" * bool(known)
            return "xfail" if known else "pass", f"No breach in {every}{but}."
        case 1:
            bad = sum(any(r.failures for r in layer) for layer in layers)
            but = f", known ones in {known}" * bool(known)
            return "fail", f"Breaches in {bad} of {every}{but}."
        case 3:
            failed = count("kit-error")
            return "kit-error", f"The kit failed on {failed} of {every}."
        case _:
            idle = sum(not all(r.ran for r in layer) for layer in layers)
            return "blocked", f"No check ran on {idle} of {every}."


def command(targets: Iterable[str]) -> str:
    """The command that checks the targets, without another option."""
    return f"keras-masking check {shlex.join(targets)}"


def write(
    path: Path,
    reports: Reports,
    targets: Iterable[str],
    typed: str | None = None,
) -> None:
    """The file that the suffix asks for; `typed` is what made the reports."""
    targets = list(targets)
    text = WRITERS[path.suffix](reports, targets, typed or command(targets))
    # A layer's text may hold what is no character.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def read(path: Path) -> dict[str, list[Report]]:
    """The reports that a JSON file holds, by backend.

    Raises:
        NoReport: If the file is none that `as_json` wrote.
    """
    return _load(path)[0]


def join(
    paths: Iterable[Path],
) -> tuple[dict[str, list[Report]], list[str], str]:
    """The reports of several JSON files as one, what was checked, and how."""
    reports: dict[str, list[Report]] = {}
    targets: list[str] = []
    commands: list[str] = []
    for path in paths:
        more, names, typed = _load(path)
        for backend, those in more.items():
            reports.setdefault(backend, []).extend(those)
        targets += [name for name in names if name not in targets]
        commands += [typed] if typed not in commands else []
    return reports, targets, "\n".join(commands)


def _load(path: Path) -> tuple[dict[str, list[Report]], list[str], str]:
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["schema"] != SCHEMA:
            raise ValueError(f"its schema is {data['schema']}, not {SCHEMA}")
        reports: dict[str, list[Report]] = {b: [] for b in data["backends"]}
        for told in data["reports"]:
            reports[told["backend"]].append(Report.from_dict(told))
        return reports, list(data["targets"]), str(data["command"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise NoReport(
            f"{path} is no JSON report of keras-masking "
            f"({type(error).__name__}: {error}). Make one with `keras-masking "
            "check --report r.json`."
        ) from error


def as_json(reports: Reports, targets: list[str], typed: str) -> str:
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "keras_masking": __version__,
        "targets": targets,
        "command": typed,
        "backends": list(reports),
        "exit_code": exit_code(reports),
        "reports": [report.to_dict() for report in every_report(reports)],
    }
    return json.dumps(data, indent=1) + "\n"


def as_html(reports: Reports, targets: list[str], typed: str) -> str:
    # Its templates come with a library that `--help` need not wait for.
    from keras_masking.contract.reports import html as page

    return page.as_html(reports, targets, command=typed)


def as_markdown(reports: Reports, targets: list[str], typed: str) -> str:
    """For a summary of CI: counts, a table, and each failure folded."""
    head = ["layer", "role", *reports]
    lines = [
        "# Mask contract",
        "",
        verdict(reports)[1],
        "",
        _words(last_line(reports)),
        "",
        _row(map(_words, head)),
        _row(["---"] * len(head)),
        *(_row(map(_words, row)) for row in matrix(reports)),
        "",
    ]
    for backends, result in breaches(reports):
        name = f"{result.layer}: {result.check} ({', '.join(backends)})"
        lines += [
            f"<details><summary>{_words(name)}</summary>",
            "",
            *_fenced(str(result), "text"),
            "",
            "</details>",
            "",
        ]
    made = f"{typed}\n# keras-masking {__version__}"
    return "\n".join([*lines, *_fenced(made, "sh"), ""])


WRITERS = {".json": as_json, ".md": as_markdown, ".html": as_html}


def _words(text: str) -> str:
    """Text that Markdown and HTML take as no more than that."""
    plain = escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", plain)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _fenced(text: str, language: str) -> list[str]:
    """A block of code that no backticks in it can end."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", text, fence]


def every_report(reports: Reports) -> list[Report]:
    """The reports of all backends."""
    return [report for those in reports.values() for report in those]
