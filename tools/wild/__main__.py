"""Compares inspector, kit and `convert` with what real packages do.

    python -m tools.wild                  all packages
    python -m tools.wild keras-hub ...    those named

Each package runs in a process of its own. Ends with 1 if a row is wrong.
"""

import importlib
import subprocess
import sys
import traceback
import warnings

# The module of each package. bayesflow turns gradients off for its process.
PACKAGES = {
    "keras-hub": "hub",
    "keras-tcn": "tcn",
    "keras-self-attention": "attention",
    "mingru-keras": "mingru",
    "keras-bio": "bio",
    "kgcnn": "graphs",
    "tslearn": "shapelets",
    "aeon": "series",
    "bayesflow": "bayes",
}


def rows(package: str) -> int:
    """Prints the rows of one package."""
    from tools.wild.judging import Line
    from tools.wild.judging import line_of

    warnings.simplefilter("ignore")
    bad = 0
    for row in importlib.import_module(f"tools.wild.{PACKAGES[package]}").ROWS:
        try:
            line = line_of(row)
        except Exception:
            line = Line(row.name, wrong=[traceback.format_exc()])
        bad += bool(line.wrong)
        mark = "WRONG" if line.wrong else "OK"
        cells = (package, line.name, line.drift, line.verdict, line.convert)
        print("|", " | ".join(cells), "|", mark, "|", flush=True)
        for why in line.wrong:
            print(f"    {why}", flush=True)
    return bad


def main() -> int:
    match sys.argv[1:]:
        case ["--rows", package]:
            return 1 if rows(package) else 0
        case names:
            print("| package | model | drift by hand | inspector | convert | |")
            print("| --- | --- | --- | --- | --- | --- |", flush=True)
            ends = [
                subprocess.run(
                    [sys.executable, "-m", "tools.wild", "--rows", name]
                ).returncode
                for name in names or PACKAGES
            ]
            return int(any(ends))


if __name__ == "__main__":
    sys.exit(main())
