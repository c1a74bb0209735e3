"""Reads models and inputs from files for the command line.

Keras and NumPy are imported on first use.
"""

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import click

from keras_masking.names import did_you_mean

ARCHIVES = (b"PK", b"\x93NUMPY")  # .npz, .npy
UNKNOWN = re.compile(
    r"Could not (?:locate|deserialize) (class|function) '([^']+)'"
)


class Refused(click.ClickException):
    """Wrong use, or a file that cannot be read; the message is one line."""

    exit_code = 2


def require_archive(path: Path) -> None:
    """Raises, before Keras is imported, if a file holds no model."""
    if not path.exists():
        raise Refused(f"there is no file {path}.")
    if path.is_dir():
        raise Refused(f"{path} is a folder, not a .keras file.")
    if path.suffix in (".h5", ".hdf5"):
        raise Refused(
            f"{path} is not a .keras file. Load it in Python, and save it as "
            "one with `model.save`."
        )
    if not zipfile.is_zipfile(path):
        what = "damaged" if path.suffix == ".keras" else "not a .keras file"
        raise Refused(f"{path} is {what}: it is not a complete zip archive.")
    with zipfile.ZipFile(path) as archive:
        if "config.json" not in archive.namelist():
            raise Refused(f"{path} is not a .keras file: it holds no model.")


def read_model(
    path: Path,
    *,
    compile: bool = False,
    call: str = "keras_masking.inspect_masks(model)",
) -> Any:
    """Loads the model in a .keras file, without running code in it.

    Args:
        path: The file.
        compile: Whether to compile the model as it was.
        call: The equivalent call in Python, for error messages.
    """
    import keras

    try:
        with warnings.catch_warnings():  # the report says which are true
            warnings.filterwarnings("ignore", ".*destroy the mask")
            return keras.saving.load_model(
                path, compile=compile, safe_mode=True
            )
    except zipfile.BadZipFile as error:
        raise Refused(f"{path} is damaged: {error}.") from error
    except Exception as error:
        raise Refused(_cannot_load(path, error, call)) from error


def _cannot_load(path: Path, error: Exception, call: str) -> str:
    text = str(error)
    unknown = UNKNOWN.search(text)
    if unknown:
        kind, name = unknown.groups()
        return (
            f"{path} needs the {kind} {name!r}, which is not registered. Pass "
            "`--import your_module`, the module that registers it with "
            "`keras.saving.register_keras_serializable`."
        )
    if "safe_mode" in text:
        return (
            f"{path} holds a Python lambda, for example in a `Lambda` layer. "
            "Code in a file is not run. If you trust it, load it in Python "
            "with `keras.saving.load_model(path, safe_mode=False)`, and call "
            f"`{call}`."
        )
    return f"{path} cannot be loaded: {type(error).__name__}: {words(error)}"


def words(error: Exception, most: int = 300) -> str:
    """The message of an error in one line."""
    from keras_masking.errors import first_words

    return first_words(error)[:most]


def read_inputs(path: Path, model: Any) -> Any:
    """The inputs in a .npy or .npz file, structured as `model` takes them."""
    arrays = _arrays(path)
    tensors = getattr(model, "inputs", None)
    if not tensors:
        return next(iter(arrays.values())) if len(arrays) == 1 else arrays
    names = _names(model)
    if len(arrays) == 1 and len(names) == 1:
        arrays = {names[0]: next(iter(arrays.values()))}
    elif "" in arrays:
        raise Refused(
            f"{path} holds one array, but the model takes {', '.join(names)}: "
            "save a .npz file of arrays with these names."
        )
    for name in arrays:
        if name not in names:
            raise Refused(
                f"{path}: the model has no input {name!r}. It has "
                f"{', '.join(names)}.{did_you_mean(name, names)}"
            )
    missing = [name for name in names if name not in arrays]
    if missing:
        raise Refused(f"{path} lacks the inputs {', '.join(missing)}.")
    for name, tensor in zip(names, tensors):
        _require_fit(path, name, arrays[name], tensor)
    rows = {name: len(array) for name, array in arrays.items()}
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise Refused(
            f"{path}: the inputs differ in their number of rows: {counts}."
        )
    return _structured(model, [arrays[name] for name in names])


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays by name; that of a .npy file has the name ""."""
    import numpy as np

    try:
        with path.open("rb") as file:
            if not file.read(6).startswith(ARCHIVES):
                raise Refused(f"{path} is not a .npy or .npz file.")
            file.seek(0)
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"": loaded}
            arrays = dict(loaded)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        if "allow_pickle" in str(error):
            raise Refused(
                f"{path} holds Python objects, which are not loaded: save "
                "arrays of numbers, rows padded to one length."
            ) from error
        raise Refused(f"{path} is damaged: {words(error)}") from error
    if not arrays:
        raise Refused(f"{path} holds no array.")
    return arrays


def _names(model: Any) -> list[str]:
    """The names of the inputs: the keys of a dict, else their own names."""
    import keras

    inputs = getattr(model, "input", None)
    if isinstance(inputs, dict) and len(inputs) == len(model.inputs):
        return list(keras.tree.flatten({name: name for name in inputs}))
    return [tensor.name for tensor in model.inputs]


def _require_fit(path: Path, name: str, array: Any, tensor: Any) -> None:
    shape = tuple(tensor.shape)
    fits = array.ndim == len(shape) and all(
        size in (None, given) for size, given in zip(shape, array.shape)
    )
    if not fits:
        raise Refused(
            f"{path}: the input {name!r} must have the shape {shape}, rank "
            f"{len(shape)}; the array has {array.shape}, rank {array.ndim}."
        )
    if array.dtype.kind not in "biuf":
        raise Refused(
            f"{path}: the input {name!r} must hold numbers, not {array.dtype}."
        )


def _structured(model: Any, arrays: list[Any]) -> Any:
    import keras

    inputs = getattr(model, "input", None)
    if inputs is None:  # a Sequential model has one input
        return arrays[0]
    return keras.tree.pack_sequence_as(inputs, arrays)
