"""The report of an inspection as an HTML page, and for a notebook.

Both use the same template. There is no script, only links from a finding to its
row.
"""

from typing import Any

from keras_masking.inspector.data import CallRecord
from keras_masking.inspector.data import ReportData
from keras_masking.inspector.reports import labels
from keras_masking.inspector.reports.grid import grid
from keras_masking.pages import templates

DRAWN = 4  # masks beside one call
# The sign of each kind, and its name for screen readers.
SIGNS = {
    "finding": ("✕", "finding"),
    "victim": ("↳", "affected by another call"),
    "harmless": ("~", "harmless"),
    "sound": ("✓", "sound"),
    "quiet": ("·", "no mask here"),
    "unknown": ("?", "not measured"),
}


def as_html(report: ReportData) -> str:
    """One page: findings first, then each call with its mask drawn.

    Args:
        report: The data of the report.

    Returns:
        The HTML. It loads nothing, and all texts of the model are escaped.
    """
    return _render("page.html", report)


def as_fragment(report: ReportData) -> str:
    """The same for a notebook's cell, without ids, and with styles of its own.

    Args:
        report: The data of the report.

    Returns:
        The HTML of one `div`.
    """
    return _render("fragment.html", report)


def _render(name: str, report: ReportData) -> str:
    pages = templates("keras_masking.inspector.reports")
    pages.filters["pieces"] = _pieces
    html = pages.get_template(name).render(
        report=report,
        labels=labels,
        grid=grid,
        drawn=DRAWN,
        signs=SIGNS,
        drift=[(one, *labels.drift(report, one)) for one in report.drift],
        outputs=[(one, *labels.reach(report, one)) for one in report.outputs],
        headline=labels.headline(report),
        rows=[_row(call) for call in report.calls],
    )
    # A model's text may contain code points that are not characters.
    return html.encode("utf-8", "backslashreplace").decode()


def _row(call: CallRecord) -> dict[str, Any]:
    return {
        "call": call,
        "kind": labels.kind(call),
        "verdict": labels.verdict(call),
        "before": labels.inputs(call),
        "after": labels.outputs(call),
    }


def _pieces(text: str) -> list[tuple[str, bool]]:
    """The text split at backticks; what is between two is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return [(text, False)]
    return [(part, bool(place % 2)) for place, part in enumerate(parts) if part]
