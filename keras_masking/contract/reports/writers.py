"""Reports of all backends as files: JSON, HTML and Markdown."""

import json
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from keras_masking import __version__
from keras_masking.contract.report import Report
from keras_masking.contract.reports.summary import Reports
from keras_masking.contract.reports.summary import command
from keras_masking.contract.reports.summary import every_report
from keras_masking.contract.reports.summary import exit_code
from keras_masking.contract.reports.summary import last_line
from keras_masking.contract.reports.summary import matrix
from keras_masking.contract.reports.summary import noun
from keras_masking.contract.reports.summary import verdict
from keras_masking.contract.reports.summary import violations

SCHEMA = 1  # of the JSON file


class NoReport(Exception):
    """A file is not a JSON report of the kit."""


def write(
    path: Path,
    reports: Reports,
    targets: Iterable[str],
    typed: str | None = None,
) -> None:
    """Writes the file type of the suffix; `typed` is the command."""
    targets = list(targets)
    text = WRITERS[path.suffix](reports, targets, typed or command(targets))
    # A layer's text may contain code points that are not characters.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def read(path: Path) -> dict[str, list[Report]]:
    """The reports that a JSON file holds, by backend.

    Raises:
        NoReport: If `as_json` did not write the file.
    """
    return _load(path)[0]


def join(
    paths: Iterable[Path],
) -> tuple[dict[str, list[Report]], list[str], str]:
    """The combined reports, targets and commands of several JSON files."""
    reports: dict[str, list[Report]] = {}
    targets: list[str] = []
    commands: list[str] = []
    for path in paths:
        more, names, typed = _load(path)
        for backend, backend_reports in more.items():
            reports.setdefault(backend, []).extend(backend_reports)
        targets += [name for name in names if name not in targets]
        commands += [typed] if typed not in commands else []
    return reports, targets, "\n".join(commands)


def _load(path: Path) -> tuple[dict[str, list[Report]], list[str], str]:
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["schema"] != SCHEMA:
            raise ValueError(f"its schema is {data['schema']}, not {SCHEMA}")
        reports: dict[str, list[Report]] = {b: [] for b in data["backends"]}
        for entry in data["reports"]:
            reports[entry["backend"]].append(Report.from_dict(entry))
        return reports, list(data["targets"]), str(data["command"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise NoReport(
            f"{path} is not a JSON report of keras-masking "
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
    # Imported late: it needs a library that `--help` should not wait for.
    from keras_masking.contract.reports import html

    return html.as_html(reports, targets, command=typed)


def as_markdown(reports: Reports, targets: list[str], typed: str) -> str:
    """A summary for CI: counts, a table, and each failure folded."""
    head = [noun(reports), "role", *reports]
    lines = [
        "# Mask contract",
        "",
        verdict(reports)[1],
        "",
        _escaped(last_line(reports)),
        "",
        _row(map(_escaped, head)),
        _row(["---"] * len(head)),
        *(_row(map(_escaped, row)) for row in matrix(reports)),
        "",
    ]
    for backends, result in violations(reports):
        name = f"{result.layer}: {result.check} ({', '.join(backends)})"
        lines += [
            f"<details><summary>{_escaped(name)}</summary>",
            "",
            *_fenced(str(result), "text"),
            "",
            "</details>",
            "",
        ]
    made = f"{typed}\n# keras-masking {__version__}"
    return "\n".join([*lines, *_fenced(made, "sh"), ""])


WRITERS = {".json": as_json, ".md": as_markdown, ".html": as_html}


def _escaped(text: str) -> str:
    """Escapes text for Markdown and HTML."""
    plain = escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", plain)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _fenced(text: str, language: str) -> list[str]:
    """A code block that backticks in the text cannot end."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", text, fence]
