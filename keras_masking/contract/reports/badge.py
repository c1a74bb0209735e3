"""A badge with counts rather than a percentage."""

import json
from collections.abc import Mapping

from keras_masking.contract.reports import summary


def as_badge(reports: summary.Reports) -> str:
    """The badge as JSON in the `endpoint` schema of shields.io."""
    message, color = _badge(reports)
    data = {
        "schemaVersion": 1,
        "label": "mask contract",
        "message": message,
        "color": color,
    }
    return json.dumps(data) + "\n"


def _badge(reports: summary.Reports) -> tuple[str, str]:
    layers = [list(by.values()) for _, by in summary.rows(reports)]
    idle = sum(not all(report.ran for report in layer) for layer in layers)
    broken = [
        backend
        for backend, backend_reports in reports.items()
        if any(
            r.status == "kit-error"
            for report in backend_reports
            for r in report
        )
    ]
    if broken:
        return f"the kit failed on {', '.join(broken)}", "orange"
    failed, passed = {}, {}
    for backend, backend_reports in reports.items():
        ran = sum(report.ran for report in backend_reports)
        bad = sum(len(report.failures) for report in backend_reports)
        good = sum(
            r.status == "pass" for report in backend_reports for r in report
        )
        if bad:
            failed[backend] = f"{bad} of {ran}"
        # Other checks that ran are known violations, or for information.
        if ran:
            passed[backend] = f"{good} of {ran}" if good < ran else f"{good}"
    if failed:
        return _on(failed, "fail"), "red"
    if not passed:
        return "nothing ran", "lightgrey"
    if idle:
        what = f"{len(layers)} {summary.noun(reports)}s"
        return f"nothing ran on {idle} of {what}", "lightgrey"
    known = any("of" in count for count in passed.values())
    return _on(passed, "pass"), "yellow" if known else "brightgreen"


def _on(counts: Mapping[str, str], do: str) -> str:
    """Each count once, with its backends."""
    texts: dict[str, list[str]] = {}
    for backend, count in counts.items():
        texts.setdefault(count, []).append(backend)
    first, *rest = [(text, ", ".join(on)) for text, on in texts.items()]
    parts = [f"{first[0]} checks {do} on {first[1]}"]
    return "; ".join(parts + [f"{count} on {on}" for count, on in rest])
