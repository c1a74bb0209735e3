"""`keras-masking convert`: a saved model with mask-aware layers.

Keras is imported later, once its backend is chosen.
"""

from pathlib import Path
from typing import Any

import click

from keras_masking.cli_model import model_options
from keras_masking.cli_model import open_model
from keras_masking.cli_model import require_place
from keras_masking.cli_model import run
from keras_masking.inspector.reading import Refused


@click.command()
@model_options
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite OUTPUT if it exists.")
def convert(
    model: Path,
    output: Path,
    modules: tuple[str, ...],
    backend: str,
    force: bool,
) -> int:
    """Writes a saved MODEL with mask-aware layers to OUTPUT, a .keras file.

    Prints what was replaced, and what was left although it loses the mask.

    \b
    Exit codes:
      0  the converted model is written
      2  wrong use, or a file that cannot be read or written
      3  the conversion failed; nothing is written
    """
    if output.suffix != ".keras":
        raise Refused(f"OUTPUT must end in .keras. Received: {output}.")
    require_place("OUTPUT", output)
    if output.exists() and not force:
        raise Refused(
            f"{output} exists. Name another file, or overwrite it with --force."
        )
    loaded = open_model(
        model,
        backend,
        modules,
        compile=True,
        call="keras_masking.convert(model)",
    )
    converted, report = _convert(loaded)
    click.echo(str(report))
    run("the model cannot be saved", converted.save, output)
    click.echo(f"Wrote {output}.")
    return 0


def _convert(model: Any) -> Any:
    from keras_masking.conversion import convert

    return run("the conversion failed", convert, model)
