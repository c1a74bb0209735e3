"""An inspection's report as one HTML page, and as a part of a notebook.

Both are the same template; the page adds what a page needs. No script: links
from a finding to its row are all that moves.
"""

from typing import Any

from keras_masking.inspector.data import CallRecord
from keras_masking.inspector.data import ReportData
from keras_masking.inspector.reports import labels
from keras_masking.inspector.reports.grid import grid
from keras_masking.pages import templates

DRAWN = 4  # masks beside one call
# The sign of each kind, beside its colour, and what a reader hears.
SIGNS = {
    "finding": ("✕", "finding"),
    "victim": ("↳", "loses by another"),
    "harmless": ("~", "harmless"),
    "sound": ("✓", "sound"),
    "quiet": ("·", "no mask here"),
}


def as_html(report: ReportData) -> str:
    """One page: findings first, then each call with its mask drawn.

    Args:
        report: What an inspection saw.

    Returns:
        The HTML. It loads nothing, and nothing that comes from the model gets
        into it but as text.
    """
    return _render("page.html", report)


def as_fragment(report: ReportData) -> str:
    """The same for a notebook's cell: no ids, no styles but its own.

    Args:
        report: What an inspection saw.

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
    # A model's text may hold what is no character.
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
    """The text cut at backticks: what stands between two is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return [(text, False)]
    return [(part, bool(place % 2)) for place, part in enumerate(parts) if part]
