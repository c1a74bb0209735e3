"""Runs a benchmark in a process for each backend, and writes its table."""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from collections.abc import Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
BACKENDS = ("tensorflow", "torch", "jax")


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--write`, and `--here`, with which a process measures."""
    parser.add_argument("--write", action="store_true", help="into results/")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)


def add_choices(parser: argparse.ArgumentParser) -> None:
    """`--quick` and `--backend`, for benchmarks that take long."""
    parser.add_argument("--quick", action="store_true", help="only try it out")
    parser.add_argument("--backend", choices=BACKENDS, action="append")


def chosen(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `tabulate` that `add_choices` and `--write` say."""
    return {
        "write": options.write,
        "options": ["--quick"] * options.quick,
        "backends": options.backend or BACKENDS,
    }


def tabulate(
    name: str,
    title: str,
    what: str,
    head: str,
    *,
    write: bool,
    options: Sequence[str] = (),
    backends: Iterable[str] = BACKENDS,
) -> None:
    """Prints what the module `benchmarks.NAME` measures on each backend."""
    rows = ""
    for backend in backends:
        if find_spec(backend) is None:
            continue
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", "--here", *options],
            env={**os.environ, "KERAS_BACKEND": backend},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        rows += "".join(
            s + "\n" for s in done.stdout.splitlines() if s[:1] == "|"
        )
    import keras

    where = f"{os.cpu_count()} cores ({platform.machine()}), CPU"
    text = (
        f"# {title}\n\n{date.today()}, {where}, Keras {keras.version()}. "
        f"{what}\n\n{head}{rows}"
    )
    print(text)
    if write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
