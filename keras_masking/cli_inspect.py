"""`keras-masking inspect`: a saved model's masks, from the command line.

Keras is imported later, once its backend is chosen.
"""

from collections.abc import Callable
from importlib.util import find_spec
from json import dumps
from pathlib import Path
from typing import Any

import click

from keras_masking.cli_model import ModelFailed
from keras_masking.cli_model import inputs_option
from keras_masking.cli_model import model_options
from keras_masking.cli_model import open_model
from keras_masking.cli_model import padding_option
from keras_masking.cli_model import require_place
from keras_masking.cli_model import run
from keras_masking.inspector.reading import Refused
from keras_masking.inspector.reading import read_inputs

# How a report is written, by the suffix of its file.
WRITERS = {".html": "html", ".json": "json", ".png": "plot", ".svg": "plot"}
# The exit codes of --strict, by the state of the report.
STRICT = {"clean": 0, "findings": 1, "not measured": 4}


def _writable(
    context: Any, parameter: Any, value: Path | tuple[Path, ...] | None
) -> list[tuple[str, Path]]:
    """How each file is written, and the file, if that is possible."""
    option, several = parameter.name, isinstance(value, tuple)
    paths = value if isinstance(value, tuple) else (value,) if value else ()
    found = []
    for path in paths:
        require_place(f"--{option}", path, WRITERS if several else None)
        how = WRITERS[path.suffix] if several else option
        if how == "plot" and find_spec("matplotlib") is None:
            raise Refused(
                f"--{option}: {path} needs matplotlib: "
                "pip install 'keras-masking[plot]'."
            )
        found.append((how, path))
    return found


def _file(name: str) -> Callable[[Any], Any]:
    """A hidden option from before `--report`, which still works."""
    return click.option(
        f"--{name}",
        type=click.Path(path_type=Path),
        callback=_writable,
        hidden=True,
    )


@click.command()
@model_options
@inputs_option("By default, inputs are made up.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    callback=_writable,
    multiple=True,
    metavar="PATH",
    help="Write a .html, .json, .png or .svg file. May be repeated.",
)
@_file("html")
@_file("json")
@_file("plot")
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 if there are findings, with 4 if something could not be "
    "measured.",
)
@padding_option
@click.option(
    "--packed",
    is_flag=True,
    help="Rows hold several sequences, parted by padding: measure whether they "
    "move each other.",
)
@click.option(
    "--no-probe",
    is_flag=True,
    help="Do not run layers again to measure leaks.",
)
@click.option(
    "--training", is_flag=True, help="Run the model in training mode."
)
def inspect(
    model: Path,
    inputs: Path | None,
    modules: tuple[str, ...],
    backend: str,
    report: list[tuple[str, Path]],
    html: list[tuple[str, Path]],
    json: list[tuple[str, Path]],
    plot: list[tuple[str, Path]],
    strict: bool,
    padding: dict[str, float | None] | None,
    packed: bool,
    no_probe: bool,
    training: bool,
) -> int:
    """Shows where the mask of a saved MODEL is created, used, lost or ignored.

    \b
    Exit codes:
      0  clean; without --strict, also findings or something not measured
      1  findings, with --strict
      2  wrong use, or a file that cannot be read
      3  the model failed; the report ends there
      4  no findings, but something could not be measured, with --strict
    """
    loaded = open_model(model, backend, modules)
    given = None if inputs is None else read_inputs(inputs, loaded)
    found = _inspect(
        *(loaded, given),
        padding=padding,
        probe=not no_probe,
        training=training,
        packed=packed,
    )
    _show(found)
    for how, path in (*report, *html, *json, *plot):
        if how == "html":
            found.to_html(path)
        elif how == "plot":
            found.plot(path)
        else:
            path.write_text(dumps(found.to_dict()), encoding="utf-8")
    if found.error:
        return ModelFailed.exit_code
    return STRICT[found.state] if strict else 0


def _inspect(model: Any, inputs: Any, **options: Any) -> Any:
    from keras_masking.inspector.inspection import inspect_masks

    return run("the model failed", inspect_masks, model, inputs, **options)


def _show(report: Any) -> None:
    from rich.console import Console

    from keras_masking.inspector.reports.text import show

    console = Console()
    if console.is_terminal:
        show(report, console)
    else:
        click.echo(str(report))
