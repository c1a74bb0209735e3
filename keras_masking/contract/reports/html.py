"""The reports of all backends as one self-contained HTML page.

The template writes everything as plain HTML, readable without JavaScript; the
script adds filters and a view of details. Texts that many cells share appear
once: the cause and code of a check, and what the backends of a cell agree on.
"""

import base64
import hashlib
from collections import Counter

from keras_masking.contract.report import BAD
from keras_masking.contract.report import STATUSES
from keras_masking.contract.report import Result
from keras_masking.contract.reports import summary
from keras_masking.contract.reports.grid import ordered
from keras_masking.contract.reports.grid import row_of
from keras_masking.contract.reports.grid import rules_of
from keras_masking.contract.reports.grid import slug
from keras_masking.names import LEVELS
from keras_masking.pages import templates

# The meaning of each status.
MEANINGS = {
    "pass": "it keeps the rule",
    "fail": "it breaks the rule",
    "xfail": "a known violation of the rule",
    "xpass": "expected to fail, but it passes",
    "n/a": "the rule does not apply to it",
    "blocked": "a check that it depends on did not pass",
    "kit-error": "the kit, or its worker, failed",
}


def as_html(
    reports: summary.Reports,
    targets: list[str],
    *,
    title: str = "Mask contract",
    command: str | None = None,
) -> str:
    """One page: layers by checks, filters, and the text of each failure.

    Args:
        reports: The reports of each backend.
        targets: The targets, for the command.
        title: The page's heading.
        command: The command that made the page. Defaults to `keras-masking
            check` with the targets.

    Returns:
        The HTML. It loads nothing, and all texts of layers are escaped.
    """
    rules = rules_of(reports)
    taken: set[str] = set()
    rows = [
        row_of(name, by, list(reports), rules, taken)
        for name, by in summary.rows(reports)
    ]
    pages = templates("keras_masking.contract.reports")
    results = [
        r
        for backend_reports in reports.values()
        for rep in backend_reports
        for r in rep
    ]
    script = pages.get_template("page.js").render()
    digest = hashlib.sha256(script.encode()).digest()
    return pages.get_template("page.html").render(
        title=title,
        command=command or summary.command(targets),
        versions=_versions(reports),
        verdict=summary.verdict(reports),
        last_line=summary.last_line(reports),
        backends=list(reports),
        rules=list(rules.values()),
        rows=rows,
        bad=[
            (row, cell, group)
            for row in rows
            for cell in row.entries
            for group in cell.groups
            if group.status in BAD and cell.rule.level != "information"
        ],
        roles=list(dict.fromkeys(r for row in rows for r in row.roles)),
        levels=ordered({r.level for r in results}, LEVELS),
        counts=_counts(results),
        meanings=MEANINGS,
        slug=slug,
        script_hash=base64.b64encode(digest).decode(),
    )


def _versions(reports: summary.Reports) -> list[str]:
    found: dict[str, list[str]] = {}
    for backend_reports in reports.values():
        for name, version in (
            p for r in backend_reports for p in r.versions.items()
        ):
            versions = found.setdefault(name.replace("_", "-"), [])
            if version not in versions:
                versions.append(version)
    return [f"{name} {', '.join(v)}" for name, v in found.items()]


def _counts(results: list[Result]) -> dict[str, int]:
    counts = Counter(result.status for result in results)
    return {status: counts[status] for status in ordered(counts, STATUSES)}
