"""Measures what masks cost, and prints or writes the results.

python -m benchmarks                    all rows, on each installed backend
python -m benchmarks mean pooling       a row, a group of rows
python -m benchmarks --quick            only tests that everything runs
python -m benchmarks --write            writes the page and the picture
python -m benchmarks calls --against ../other-checkout
"""

import argparse
import time
from pathlib import Path

from benchmarks import records
from benchmarks import report
from benchmarks import run
from benchmarks.row import BACKENDS
from benchmarks.row import MODES

RESULTS = Path(__file__).parent / "results"
IMAGES = Path(__file__).parents[1] / "docs" / "images"


def main(arguments: list[str] | None = None) -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=raw
    )
    add, often = parser.add_argument, {"action": "append", "default": []}
    add("names", nargs="*", help="rows, groups, models; all by default")
    add("--backend", choices=BACKENDS, help="repeatable", **often)
    add("--mode", choices=MODES, help="default: predict and fit", **often)
    add("--device", choices=tuple(run.DEVICES), default="cpu")
    add("--quick", action="store_true", help="one small shape, few rounds")
    add("--against", type=Path, metavar="CHECKOUT", help="compare with another")
    add("--out", type=Path, help="for the records; by default in results/")
    add("--render", type=Path, metavar="RECORDS", help="measure nothing")
    add("--write", action="store_true", help="into results/ and docs/images/")
    given = parser.parse_args(arguments)
    if given.write and given.names:
        parser.error("--write is for a whole run")
    name = f"{given.device}-{time.strftime('%Y-%m-%d-%H%M%S')}.jsonl"
    file, complete = given.render or given.out or RESULTS / name, True
    if not given.render:
        file.unlink(missing_ok=True)
        options = {
            key: getattr(given, key) for key in ("names", "device", "quick")
        }
        options["modes"] = given.mode or ["predict", "fit"]
        options["file"] = str(file.resolve())
        complete = run.measure(options, given.backend, given.against)
        print(file)
    found = records.read(file)
    if given.write:  # those of a GPU stand beside
        from benchmarks.picture import draw

        name = "speed" if given.device == "cpu" else "speed-gpu"
        (RESULTS / f"{name}.md").write_text(report.page(found), "utf-8")
        draw(found, IMAGES / f"{name}.png", given.device)
    else:
        print(report.against(found) if given.against else report.page(found))
    if not complete:
        raise SystemExit("a backend did not come to its end: see above")


if __name__ == "__main__":
    main()
