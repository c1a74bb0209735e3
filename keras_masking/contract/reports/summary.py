"""Reports of all backends, counted and summarized."""

import shlex
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from keras_masking.contract.report import BAD
from keras_masking.contract.report import RAN
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result

Reports = Mapping[str, list[Report]]

SLOWEST = 5
SLOW = 1.0  # seconds; quicker checks are not listed
OK, VIOLATION, KIT_ERROR, NOTHING = 0, 1, 3, 5


def exit_code(reports: Reports) -> int:
    every = every_report(reports)
    if any(r.status == "kit-error" for report in every for r in report):
        return KIT_ERROR
    if any(report.failures for report in every):
        return VIOLATION
    if not every or not all(report.ran for report in every):
        return NOTHING
    return OK


def rows(reports: Reports) -> Iterator[tuple[str, dict[str, Report]]]:
    """Each layer with its report on each backend; equal names stay separate."""
    layers: dict[tuple[str, int], dict[str, Report]] = {}
    for backend, backend_reports in reports.items():
        seen: Counter[str] = Counter()
        for report in backend_reports:
            seen[report.layer] += 1
            key = (report.layer, seen[report.layer])
            layers.setdefault(key, {})[backend] = report
    for (name, _), by in layers.items():
        yield name, by


def matrix(reports: Reports) -> list[list[str]]:
    """A row per layer: its name, its role, and the outcome on each backend."""
    return [
        [
            layer,
            role(by.values()),
            *[outcome(by[b]) if b in by else "-" for b in reports],
        ]
        for layer, by in rows(reports)
    ]


def role(reports: Iterable[Report]) -> str:
    """The role of one layer, as its backends report it.

    With how it is known, or with what a loss or metric was judged.
    """
    roles = {
        r.role: "inferred" if r.inferred else r.examples
        for r in reports
        if r.role != "unknown"
    }
    return ", ".join(
        f"{name} ({how})" if how else name for name, how in roles.items()
    )


def noun(reports: Reports) -> str:
    """What was checked: a layer, or a target if some are losses or metrics."""
    roles = {report.role for report in every_report(reports)}
    return "target" if roles & {"loss", "metric"} else "layer"


def outcome(report: Report) -> str:
    if any(r.status == "kit-error" for r in report):
        return "KIT-ERROR"
    ends = Counter(r.status for r in report if r.status in RAN)
    if report.failures:
        known = f", xfail {ends['xfail']}" if ends["xfail"] else ""
        return f"FAIL {len(report.failures)} of {report.ran}{known}"
    parts = [
        f"{'information' if status in BAD else status} {number}"
        for status, number in ends.items()
    ]
    return ", ".join(parts) or "nothing ran"


def violations(reports: Reports) -> list[tuple[list[str], Result]]:
    """Each bad result once, with the backends that have it.

    The numbers in the text are those of the first backend.
    """
    violating: list[tuple[list[str], Result]] = []
    for _, by in rows(reports):
        found: dict[tuple[str, str], tuple[list[str], Result]] = {}
        for backend, report in by.items():
            for result in report:
                if result.status in BAD:
                    key = (result.check, result.status)
                    found.setdefault(key, ([], result))[0].append(backend)
        violating += found.values()
    return violating


def slowest(reports: Reports) -> list[tuple[float, str]]:
    """The slow checks, slowest first."""
    timed = [
        (result.seconds, f"{result.check}  {result.layer}  on {report.backend}")
        for report in every_report(reports)
        for result in report
        if result.seconds > SLOW
    ]
    return sorted(timed, reverse=True)[:SLOWEST]


def last_line(reports: Reports) -> str:
    """How many checks ran on each backend."""
    parts = []
    for backend, backend_reports in reports.items():
        ran = sum(report.ran for report in backend_reports)
        bad = sum(len(report.failures) for report in backend_reports)
        parts.append(f"{backend} {ran} ({bad} failed)")
    return "checks that ran: " + ", ".join(parts)


def verdict(reports: Reports) -> tuple[str, str]:
    """A status and a one-sentence summary."""
    layers = [list(by.values()) for _, by in rows(reports)]
    every = f"{len(layers)} {noun(reports)}{'s' * (len(layers) != 1)}"

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
            return (
                "xfail" if known else "pass",
                f"No violation in {every}{but}.",
            )
        case 1:
            bad = sum(any(r.failures for r in layer) for layer in layers)
            but = f", known ones in {known}" * bool(known)
            return "fail", f"Violations in {bad} of {every}{but}."
        case 3:
            failed = count("kit-error")
            return "kit-error", f"The kit failed on {failed} of {every}."
        case _:
            idle = sum(not all(r.ran for r in layer) for layer in layers)
            return "blocked", f"No check ran on {idle} of {every}."


def command(targets: Iterable[str]) -> str:
    """The command that checks the targets, without options."""
    return f"keras-masking check {shlex.join(targets)}"


def every_report(reports: Reports) -> list[Report]:
    """The reports of all backends."""
    return [
        report
        for backend_reports in reports.values()
        for report in backend_reports
    ]
