"""Runs rows through the kit, and keeps which checks fail on which backend.

There is a record for each minor version of Keras, and one for the packages
around it. It is what is known: a failure that is not in it is a failure, and a
check in it that passes is an unexpected pass.
"""

import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path
from typing import Any

from keras_masking.contract.backends import supervisor
from keras_masking.contract.report import Result
from keras_masking.contract.reports.summary import Reports
from keras_masking.contract.reports.summary import every_report
from tools.scoreboard.archive import RECORDS
from tools.scoreboard.archive import Record
from tools.scoreboard.archive import reason_of
from tools.scoreboard.causes import CAUSES
from tools.scoreboard.causes import OF_MOST
from tools.scoreboard.rows import Row
from tools.scoreboard.rows import every_row

HERE = Path(__file__).parent
BACKENDS = ("tensorflow", "torch", "jax")
PREDICT_ONLY = ("numpy", "openvino")
PACKAGES = (
    "keras-hub",
    "keras-rs",
    "keras-tcn",
    "keras-self-attention",
    "tensorflow-cpu",
    "torch",
    "jax",
    "numpy",
    "openvino",
)

Families = Mapping[str, list[Row]]


def run(targets: Iterable[str], backends: Iterable[str] = BACKENDS) -> Reports:
    """The reports of lists of cases in files here, on some backends."""
    options = {
        "role": None,
        "level": "advised",
        "only": None,
        "skip": None,
        "seed": 0,
        "torch_compile": False,
    }
    # As it is typed from the root, so that no report names a place on a disk.
    paths = [f"{os.path.relpath(HERE)}/{target}" for target in targets]
    job = {"work": "check", "targets": paths, "ids": None}

    def on_message(backend: str, message: Any) -> None:
        print(end=".", flush=True)

    try:
        return supervisor.run(
            {**job, "options": options},
            [*backends],
            timeout=600.0,
            on_message=on_message,
        )
    finally:
        print()


def keras_of(reports: Reports) -> str:
    """The version of Keras, as the workers report it."""
    return next(
        r.versions["keras"] for r in every_report(reports) if r.versions
    )


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def file_of(keras: str, what: str = "keras") -> Path:
    name = what if what == "others" else f"{what}-{minor(keras)}"
    return RECORDS / f"{name}.json"


def record(reports: Reports, command: str) -> Record:
    """What is kept of the reports."""
    rows: dict[str, Any] = {}
    for backend, those in reports.items():
        for report in those:
            failed = [r.check for r in report if r.status == "fail"]
            row = rows.setdefault(report.layer, {})
            row[backend] = {"ran": report.ran, "fails": sorted(failed)}
    return {
        "keras": keras_of(reports),
        "versions": dict(_versions()),
        "date": date.today().isoformat(),
        "command": command,
        "rows": rows,
    }


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def expect(reports: Reports, known: Record, families: Families) -> Reports:
    """The reports with what the record knows as expected failures."""
    rows = {row.name: row for row in every_row(families)}
    return {
        backend: [
            replace(
                report,
                results=[
                    _expected(result, rows[report.layer], known, backend)
                    for result in report
                ],
            )
            for report in those
        ]
        for backend, those in reports.items()
    }


def _expected(result: Result, row: Row, known: Record, on: str) -> Result:
    kept = known["rows"].get(row.name, {}).get(on, {"fails": []})
    if result.check not in kept["fails"]:
        return result
    if result.status not in ("pass", "fail"):
        return result
    reason = reason_of(because(row, result.check, known))
    return replace(result, status="x" + result.status, reason=reason)


def because(row: Row, check: str, known: Record) -> list[str]:
    """The causes that make a row fail a check."""
    return [n for n in causes_of(row, known) if check in CAUSES[n].checks]


def causes_of(row: Row, known: Record) -> tuple[str, ...]:
    """Why a row breaks: what the version does to any, and its own."""
    wide = OF_MOST.get(minor(known["keras"]))
    return (*row.because, wide) if wide else row.because


def unexplained(known: Record, families: Families) -> list[str]:
    """What the record has and no cause of its row explains."""
    found = []
    for row in every_row(families):
        causes = causes_of(row, known)
        explained = {i for n in causes for i in CAUSES[n].checks}
        for backend, seen in each_backend(known, row.name):
            rest = set(seen["fails"]) - explained
            found += [f"{row.name} on {backend}: {i}" for i in sorted(rest)]
    return found


def idle(records: list[Record], families: Families) -> list[str]:
    """Causes of a row that explain nothing in any record."""
    found = []
    for row in every_row(families):
        failing = set().union(*(fails(known, row.name) for known in records))
        found += [
            f"{row.name}: {name}"
            for name in row.because
            if not failing & CAUSES[name].checks
        ]
    return found


def each_backend(known: Record, name: str) -> list[tuple[str, Any]]:
    """What a record has of a row, by backend."""
    row = known["rows"].get(name, {})
    return [(b, row[b]) for b in (*BACKENDS, *PREDICT_ONLY) if b in row]


def fails(known: Record, name: str) -> set[str]:
    """What fails of a row on any backend."""
    seen = each_backend(known, name)
    return {check for _, row in seen for check in row["fails"]}
