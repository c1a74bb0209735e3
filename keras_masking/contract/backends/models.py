"""Targets that are files of saved models, and the inputs of models."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from keras_masking.contract.case import TargetError
from keras_masking.contract.model_case import ModelCase
from keras_masking.inspector.reading import Refused
from keras_masking.inspector.reading import read_inputs
from keras_masking.inspector.reading import read_model
from keras_masking.inspector.reading import require_archive

SUFFIX = ".keras"


def import_all(names: list[str]) -> None:
    """Imports these modules, whose layers models can have."""
    for name in names:
        try:
            import_module(name)
        except Exception as error:
            raise TargetError(
                f"--import: {name} cannot be imported: "
                f"{type(error).__name__}: {error}"
            ) from error


def read_case(place: str) -> ModelCase:
    """The model in a file, as a case."""
    path = Path(place)
    try:
        require_archive(path)
        call = "keras_masking.contract.check_model(model)"
        model = read_model(path, call=call)
    except Refused as error:
        raise TargetError(error.message) from error
    line = f"keras.saving.load_model({place!r}, compile=False)"
    return ModelCase(model, name=path.name, script=f"import keras\n{line}")


def with_inputs(case: Any, place: str | None, padding: Any) -> Any:
    """A case of a model with the inputs in a file; others as they are."""
    if not isinstance(case, ModelCase):
        return case
    inputs = case.inputs
    if place is not None:
        try:
            inputs = read_inputs(Path(place), case.make())
        except Refused as error:
            raise TargetError(f"--inputs: {error.message}") from error
    return replace(case, inputs=inputs, padding=padding or case.padding)
