"""Compares inspector, kit and `convert` with what real packages do.

    python -m tools.wild                  all packages
    python -m tools.wild keras-hub ...    those named

Each package runs in a process of its own. Ends with 1 if a row is wrong.
"""

import subprocess
import sys
import traceback
import warnings
from functools import partial
from importlib import import_module
from typing import Any

import keras

# The modules with models. bayesflow turns gradients off for its process.
MODELS = {
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
PACKAGES = [*MODELS, "keras-rs", "k3-node"]


def rows(package: str) -> int:
    """Prints the rows of one package; returns how many are wrong."""
    from tools.wild.judging import Line
    from tools.wild.judging import layer_line
    from tools.wild.judging import model_line

    warnings.simplefilter("ignore")
    models: list[Any] = []
    if package in MODELS:
        models = import_module(f"tools.wild.{MODELS[package]}").ROWS
    todo = [(row.name, partial(model_line, row)) for row in models]
    if keras.backend.backend() == "torch":
        from tools.wild.kit import LAYERS

        layers = LAYERS.get(package, {})
        todo += [(k, partial(layer_line, k, x)) for k, x in layers.items()]
    bad = 0
    for name, make in todo:
        try:
            line = make()
        except Exception:
            line = Line(name, wrong=[traceback.format_exc()])
        bad += bool(line.wrong)
        print(package, *line.cells(), sep=" | ", flush=True)
        for why in line.wrong:
            print(f"    {why}", flush=True)
    return bad


def main() -> int:
    match sys.argv[1:]:
        case ["--rows", package]:
            return 1 if rows(package) else 0
        case names:
            backend = keras.backend.backend()
            print(f"Keras {keras.version()} on {backend}")
            print("package | model or layer | drift by hand | inspector or kit")
            print("    | convert | OK or WRONG", flush=True)
            command = [sys.executable, "-m", "tools.wild", "--rows"]
            codes = [
                subprocess.run([*command, name]).returncode
                for name in names or PACKAGES
            ]
            print("a row is WRONG" if any(codes) else "no row is wrong")
            return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
