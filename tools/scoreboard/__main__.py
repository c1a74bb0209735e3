"""The scoreboard: what keeps the mask contract, on which backend.

    python -m tools.scoreboard keras     checks the layers of this Keras
    python -m tools.scoreboard scores    checks its losses and metrics
    python -m tools.scoreboard predict   checks the layers on NumPy and OpenVINO
    python -m tools.scoreboard others    checks the packages around Keras
    python -m tools.scoreboard check     compares some rows with the records
    python -m tools.scoreboard pages     writes the page from the records

The first four write a record and the page; the site generates the report of the
failures from the record.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import keras

from keras_masking.contract.reports import summary
from tools.scoreboard import archive
from tools.scoreboard import keras_layers
from tools.scoreboard import keras_scores
from tools.scoreboard import other_layers
from tools.scoreboard import records
from tools.scoreboard.pages import RELEASE
from tools.scoreboard.pages import write_page
from tools.scoreboard.rows import every_row

LISTS = {
    "keras": keras_layers,
    "scores": keras_scores,
    "predict": keras_layers,
    "others": other_layers,
}


def make(what: str) -> int:
    """A record of all rows, and the page."""
    listed = LISTS[what]
    predicts = what == "predict"
    reports = records.run(
        [f"{Path(listed.__file__).name}:CASES"],
        filter(find_spec, records.PREDICT_ONLY)
        if predicts
        else records.BACKENDS,
    )
    command = f"python -m tools.scoreboard {what}"
    known = records.record(reports, command)
    if known["keras"].startswith(RELEASE) and not predicts:
        rows = {row.name: row for row in every_row(listed.FAMILIES)}
        known["report"] = archive.pack(
            reports,
            lambda name, check: records.because(rows[name], check, known),
        )
    archive.save(records.file_of(known["keras"], what), known)
    write_page()
    odd = [
        f"{report.layer} on {report.backend}: {result.check}: {result.seen}"
        for report in summary.every_report(reports)
        for result in report
        if result.status == "kit-error"
    ]
    for line in records.unexplained(known, listed.FAMILIES):
        odd.append(f"no cause explains {line}")
    print(*odd, sep="\n")
    return 1 if odd else 0


def check() -> int:
    """Runs some rows again and compares them with the records."""
    known = archive.load(records.file_of(keras.__version__))
    targets = ["keras_layers.py:TEN"]
    # Losses and metrics have a record for one version alone.
    scores = records.file_of(keras.__version__, "scores")
    if scores.exists():
        known["rows"] |= archive.load(scores)["rows"]
        targets.append("keras_scores.py:FIVE")
    families = {**keras_layers.FAMILIES, **keras_scores.FAMILIES}
    reports = records.expect(records.run(targets), known, families)
    for backends, result in summary.violations(reports):
        print(f"{result}\n    on      {', '.join(backends)}\n")
    print(summary.last_line(reports))
    return summary.exit_code(reports)


def main() -> int:
    match sys.argv[1:]:
        case ["keras" | "scores" | "predict" | "others" as what]:
            return make(what)
        case ["check"]:
            return check()
        case ["pages"]:
            write_page()
            return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
