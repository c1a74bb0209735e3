"""`keras-masking convert`: a saved model with mask-aware layers.

Keras is imported later, once its backend is chosen.
"""

from pathlib import Path
from typing import Any

import click

from keras_masking.cli_model import inputs_option
from keras_masking.cli_model import model_options
from keras_masking.cli_model import open_model
from keras_masking.cli_model import padding_option
from keras_masking.cli_model import require_place
from keras_masking.cli_model import run
from keras_masking.inspector.reading import Refused
from keras_masking.inspector.reading import read_inputs


def _read_masks(
    context: Any, parameter: Any, value: tuple[str, ...]
) -> dict[str, list[str]] | None:
    """What each input masks; None if none is named."""
    found: dict[str, list[str]] = {}
    for one in value:
        name, _, target = one.partition("=")
        if not name or not target:
            raise Refused(
                f"--mask-input must be NAME=LAYER, for example "
                f"padding_mask=embedding. Received: {one!r}."
            )
        found.setdefault(name, []).append(target)
    return found or None


@click.command()
@model_options
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--mask-input",
    "masks",
    multiple=True,
    metavar="NAME=LAYER",
    callback=_read_masks,
    help="The input NAME is a mask, of the output of LAYER, or of another "
    "input. May be repeated. By default, masks are found by their use.",
)
@inputs_option("With it, what padding does is measured before and after.")
@padding_option
@click.option(
    "--packed",
    is_flag=True,
    help="The new model takes packed rows, several sequences in each.",
)
@click.option(
    "--max-segments",
    type=click.IntRange(1),
    metavar="N",
    help="The most sequences in a packed row, for a model that pools.",
)
@click.option("--force", is_flag=True, help="Overwrite OUTPUT if it exists.")
def convert(
    model: Path,
    output: Path,
    modules: tuple[str, ...],
    backend: str,
    masks: dict[str, list[str]] | None,
    inputs: Path | None,
    padding: dict[str, float | None] | None,
    packed: bool,
    max_segments: int | None,
    force: bool,
) -> int:
    """Writes a saved MODEL with mask-aware layers to OUTPUT, a .keras file.

    Prints what was replaced, and what was left although it loses the mask or
    lets padding in.

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
    given = None if inputs is None else read_inputs(inputs, loaded)
    options = {
        "padding": padding,
        "packed": packed,
        "max_segments": max_segments,
        **({} if masks is None else {"mask_inputs": masks}),
    }
    converted, report = run(
        "the conversion failed", _convert, loaded, given, options
    )
    click.echo(str(report))
    run("the model cannot be saved", converted.save, output)
    click.echo(f"Wrote {output}.")
    return 0


def _convert(model: Any, inputs: Any, options: dict[str, Any]) -> Any:
    from keras_masking.conversion import convert

    try:
        return convert(model, inputs, **options)
    except ValueError as error:
        if not str(error).startswith("In `convert`"):
            raise
        raise Refused(str(error)) from error  # whole, as it may hold code
