"""What the commands on saved models share: backend, modules, model.

Keras is imported later, once its backend is chosen.
"""

import os
import sys
from collections.abc import Callable
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from keras_masking.contract.backends.processes import BACKENDS
from keras_masking.contract.backends.processes import installed
from keras_masking.contract.backends.processes import load_torch_first
from keras_masking.inspector.reading import Refused
from keras_masking.inspector.reading import read_model
from keras_masking.inspector.reading import require_archive
from keras_masking.inspector.reading import words
from keras_masking.names import did_you_mean
from keras_masking.output_files import why_not

OURS = (
    "keras_masking.layers",
)  # imported, so that saved models can contain them


class ModelFailed(click.ClickException):
    exit_code = 3


def model_options(command: Any) -> Any:
    """The options that set the model, its modules and its backend."""
    model = click.argument("model", type=click.Path(path_type=Path))
    backend = click.option(
        "--backend",
        callback=_choose_backend,
        metavar="NAME",
        help="Defaults to KERAS_BACKEND, else to the first installed.",
    )
    return model(import_option(backend(command)))


def import_option(command: Any) -> Any:
    """The option `--import`, for models with custom layers."""
    return click.option(
        "--import",
        "modules",
        multiple=True,
        metavar="MODULE",
        help="Import this first, to register custom layers. May be repeated.",
    )(command)


def padding_option(command: Any) -> Any:
    """The option `--padding`, values by the names of inputs."""
    return click.option(
        "--padding",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_padding_values,
        help="What padding steps of an input hold: a number, nan, or none if "
        "the input has no steps. Guessed by default. May be repeated.",
    )(command)


def _padding_values(
    context: Any, parameter: Any, value: tuple[str, ...]
) -> dict[str, float | None] | None:
    """The padding value of each input that is named; None if none is."""
    found: dict[str, float | None] = {}
    for text in value:
        name, _, number = text.rpartition("=")
        try:
            found[name] = None if number == "none" else float(number)
        except ValueError:
            name = ""
        if not name:
            raise Refused(
                f"--padding: {text!r} must be NAME=VALUE, with a number, nan "
                "or none as the value, for example token_ids=0."
            )
    return found or None


def inputs_option(more: str) -> Callable[[Any], Any]:
    """The option `--inputs`, whose help ends with `more`."""
    return click.option(
        "--inputs",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="A .npy file, or a .npz file of arrays named like the inputs. "
        + more,
    )


def _choose_backend(context: Any, parameter: Any, value: str | None) -> str:
    there = installed()
    if not there:
        raise Refused(
            "no backend is installed: install jax, torch or tensorflow."
        )
    if value is not None and value not in there:
        hint = "" if value in BACKENDS else did_you_mean(value, BACKENDS)
        raise Refused(
            f"--backend: {value!r} is not an installed backend. "
            f"Installed: {', '.join(there)}.{hint}"
        )
    set_already = os.environ.get("KERAS_BACKEND")
    return value or (set_already if set_already in there else there[0])


def require_place(
    name: str, path: Path, suffixes: Iterable[str] | None = None
) -> None:
    """Raises before the run if the file cannot be written after it."""
    refusal = why_not(path, suffixes)
    if refusal is not None:
        raise Refused(f"{name}: {refusal}")


def open_model(
    path: Path, backend: str, modules: tuple[str, ...], **how: Any
) -> Any:
    """Loads the saved model on the backend, after importing the modules."""
    require_archive(path)
    _start_keras(backend)
    for name in (*OURS, *modules):
        _import(name)
    return read_model(path, **how)


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


def run(what: str, function: Callable[..., Any], *args: Any, **how: Any) -> Any:
    """The result of the function; errors become one-line messages."""
    try:
        return function(*args, **how)
    except click.ClickException:
        raise
    except ValueError as error:
        raise Refused(words(error)) from error
    except Exception as error:
        raise ModelFailed(
            f"{what}: {type(error).__name__}: {words(error)}"
        ) from error
