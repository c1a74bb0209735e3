"""The scoreboard: which layers keep the mask contract, on which backend.

    python -m tools.scoreboard keras     checks the layers of this Keras
    python -m tools.scoreboard others    checks those of the packages around it
    python -m tools.scoreboard check     compares ten rows with the record
    python -m tools.scoreboard pages     writes the page from the records

The first two write a record and the page; the site generates the report of the
failures from the record.
"""

import sys

from keras_masking.contract.reports import summary
from tools.scoreboard import archive
from tools.scoreboard import keras_layers
from tools.scoreboard import other_layers
from tools.scoreboard import records
from tools.scoreboard.pages import RELEASE
from tools.scoreboard.pages import write_page
from tools.scoreboard.rows import every_row

FAMILIES = {"keras": keras_layers.FAMILIES, "others": other_layers.FAMILIES}
TARGETS = {
    "keras": "keras_layers.py:CASES",
    "others": "other_layers.py:CASES",
}


def make(what: str) -> int:
    """A record of all rows, and the page."""
    reports = records.run(TARGETS[what])
    command = f"python -m tools.scoreboard {what}"
    known = records.record(reports, command)
    if known["keras"].startswith(RELEASE):
        rows = {row.name: row for row in every_row(FAMILIES[what])}
        known["report"] = archive.pack(
            reports,
            lambda name, check: records.because(rows[name], check, known),
        )
    others = what == "others"
    archive.save(records.file_of(known["keras"], others=others), known)
    write_page()
    odd = [
        f"{report.layer} on {report.backend}: {result.check}: {result.seen}"
        for report in summary.every_report(reports)
        for result in report
        if result.status == "kit-error"
    ]
    for line in records.unexplained(known, FAMILIES[what]):
        odd.append(f"no cause explains {line}")
    print(*odd, sep="\n")
    return 1 if odd else 0


def check() -> int:
    """Runs ten rows again and compares them with the record."""
    reports = records.run("keras_layers.py:TEN")
    known = archive.load(records.file_of(records.keras_of(reports)))
    reports = records.expect(reports, known, FAMILIES["keras"])
    for backends, result in summary.violations(reports):
        print(f"{result}\n    on      {', '.join(backends)}\n")
    print(summary.last_line(reports))
    return summary.exit_code(reports)


def main() -> int:
    match sys.argv[1:]:
        case ["keras" | "others" as what]:
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
