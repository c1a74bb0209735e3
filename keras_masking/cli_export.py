"""`keras-masking export`: a saved model for another runtime.

Keras is imported later, once its backend is chosen.
"""

from pathlib import Path
from typing import Any

import click

from keras_masking.cli_model import ModelFailed
from keras_masking.cli_model import inputs_option
from keras_masking.cli_model import model_options
from keras_masking.cli_model import open_model
from keras_masking.cli_model import run
from keras_masking.exporting.report import ExportError
from keras_masking.exporting.report import ExportMismatchError
from keras_masking.inspector.reading import Refused
from keras_masking.inspector.reading import read_inputs
from keras_masking.inspector.reading import words


class Differs(click.ClickException):
    """The file answers otherwise than the model."""

    exit_code = 1


@click.command()
@model_options
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--format",
    metavar="NAME",
    help="tf_saved_model, onnx, litert, openvino, torch or jax. Defaults to "
    "what the ending of OUTPUT says.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="The name of an input in OUTPUT; once for each input, in their order.",
)
@inputs_option("By default, the batches to compare are made up.")
@click.option(
    "--no-verify",
    is_flag=True,
    help="Do not open OUTPUT and compare it with the model.",
)
@click.option("--force", is_flag=True, help="Replace OUTPUT if it exists.")
def export(
    model: Path,
    output: Path,
    modules: tuple[str, ...],
    backend: str,
    format: str | None,
    names: tuple[str, ...],
    inputs: Path | None,
    no_verify: bool,
    force: bool,
) -> int:
    """Writes a saved MODEL for another runtime to OUTPUT.

    OUTPUT is an .onnx, .tflite, .xml (OpenVINO), .pt2 (PyTorch) or .jax file,
    or a folder (SavedModel). It is opened in its runtime and compared with the
    model, with paddings and sizes other than those it was made with.

    \b
    Exit codes:
      0  OUTPUT is written, and answers as the model does
      1  it answers otherwise than the model, and was not kept
      2  wrong use, a missing package, or a file that cannot be read or written
      3  the model cannot be exported; nothing is written
    """
    if output.exists() and not force:
        raise Refused(
            f"{output} exists. Name another path, or replace it with --force."
        )
    loaded = open_model(
        model, backend, modules, call="keras_masking.export(model, path)"
    )
    given = None if inputs is None else read_inputs(inputs, loaded)
    options = {"inputs": given, "verify": not no_verify}
    report = run(
        "the export failed",
        _export,
        loaded,
        output,
        format,
        names=names or None,
        **options,
    )
    click.echo(str(report))
    return 0


def _export(model: Any, output: Path, format: str | None, **how: Any) -> Any:
    from rich.console import Console

    from keras_masking.exporting.exporter import run_export

    console = Console(stderr=True)
    try:
        with console.status("exporting") as status:
            return run_export(
                model, output, format, on_stage=status.update, **how
            )
    except ExportMismatchError as error:
        raise Differs(words(error, 1000)) from error
    except ExportError as error:
        raise ModelFailed(words(error, 1000)) from error
    except (ValueError, ImportError, OSError) as error:
        raise Refused(words(error, 1000)) from error
