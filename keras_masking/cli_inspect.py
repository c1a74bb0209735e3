"""`keras-masking inspect`: a saved model's masks, from the command line.

Keras is imported once its backend is chosen, so not here.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from json import dumps
from pathlib import Path
from typing import Any

import click

from keras_masking.contract.backends.processes import installed
from keras_masking.contract.backends.processes import load_torch_first
from keras_masking.inspector.reading import Refused
from keras_masking.inspector.reading import read_inputs
from keras_masking.inspector.reading import read_model
from keras_masking.inspector.reading import require_archive
from keras_masking.inspector.reading import words

OURS = ("keras_masking.layers",)  # by name: a saved model may hold them


class ModelFailed(click.ClickException):
    exit_code = 3


def _choose_backend(context: Any, parameter: Any, value: str | None) -> str:
    there = installed()
    if not there:
        raise Refused("there is no backend: install jax, torch or tensorflow.")
    if value is not None and value not in there:
        raise Refused(
            f"--backend: {value!r} is not an installed backend. "
            f"Installed: {', '.join(there)}."
        )
    set_already = os.environ.get("KERAS_BACKEND")
    return value or (set_already if set_already in there else there[0])


def _writable(context: Any, parameter: Any, value: Path | None) -> Path | None:
    """Refuses before the run what could not be written after it."""
    if value is None:
        return None
    if not value.parent.is_dir():
        raise Refused(f"--{parameter.name}: there is no folder {value.parent}.")
    if value.is_dir():
        raise Refused(f"--{parameter.name}: {value} is a folder, not a file.")
    if parameter.name == "plot" and find_spec("matplotlib") is None:
        raise Refused(
            "--plot needs matplotlib: pip install 'keras-masking[plot]'."
        )
    return value


def _file(name: str, text: str) -> Callable[[Any], Any]:
    return click.option(
        f"--{name}",
        type=click.Path(path_type=Path),
        callback=_writable,
        metavar="PATH",
        help=text,
    )


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--inputs",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .npy file, or a .npz of arrays named as the inputs; made up if "
    "left out.",
)
@click.option(
    "--import",
    "modules",
    multiple=True,
    metavar="MODULE",
    help="Import this first: it registers custom layers. May be given again.",
)
@click.option(
    "--backend",
    callback=_choose_backend,
    metavar="NAME",
    help="Defaults to KERAS_BACKEND, else to the first installed.",
)
@_file("html", "Write the report as a page.")
@_file("json", "Write the report as data.")
@_file("plot", "Draw the masks, into a .png or .svg file.")
@click.option("--strict", is_flag=True, help="Findings make the exit code 1.")
@click.option(
    "--no-probe",
    is_flag=True,
    help="Do not run layers again to measure what padding changes.",
)
@click.option("--training", is_flag=True, help="Run the model as in training.")
def inspect(
    model: Path,
    inputs: Path | None,
    modules: tuple[str, ...],
    backend: str,
    html: Path | None,
    json: Path | None,
    plot: Path | None,
    strict: bool,
    no_probe: bool,
    training: bool,
) -> int:
    """Shows where the mask of a saved MODEL is born, used, lost or ignored.

    \b
    Exit codes:
      0  no findings, or findings without --strict
      1  findings, with --strict
      2  wrong use, or a file that cannot be read
      3  the model failed; the report goes up to there
    """
    require_archive(model)
    _start_keras(backend)
    for name in (*OURS, *modules):
        _import(name)
    loaded = read_model(model)
    given = None if inputs is None else read_inputs(inputs, loaded)
    report = _inspect(loaded, given, probe=not no_probe, training=training)
    _show(report)
    if html is not None:
        report.to_html(html)
    if json is not None:
        json.write_text(dumps(report.to_dict()), encoding="utf-8")
    if plot is not None:
        report.plot(plot)
    if report.error:
        return ModelFailed.exit_code
    return int(strict and bool(report.findings))


def _show(report: Any) -> None:
    from rich.console import Console

    from keras_masking.inspector.reports.text import show

    console = Console()
    if console.is_terminal:
        show(report, console)
    else:
        click.echo(str(report))


def _start_keras(backend: str) -> None:
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    load_torch_first(backend)
    import keras

    if keras.backend.backend() != backend:
        raise Refused(f"Keras already runs on {keras.backend.backend()}.")


def _import(name: str) -> None:
    if os.getcwd() not in sys.path:  # as with `python -m`
        sys.path.insert(0, os.getcwd())
    try:
        import_module(name)
    except Exception as error:
        raise Refused(
            f"--import: {name} cannot be imported: "
            f"{type(error).__name__}: {words(error)}"
        ) from error


def _inspect(model: Any, inputs: Any, **options: bool) -> Any:
    from keras_masking.inspector.inspection import inspect_masks

    try:
        return inspect_masks(model, inputs, **options)
    except ValueError as error:
        raise Refused(words(error)) from error
    except Exception as error:
        raise ModelFailed(
            f"the model failed: {type(error).__name__}: {words(error)}"
        ) from error
