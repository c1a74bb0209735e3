"""LiteRT, a `.tflite` file: from TensorFlow, run by `ai-edge-litert`."""

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from keras_masking.exporting import tensorflow_access
from keras_masking.exporting.report import ExportError
from keras_masking.exporting.source import Run
from keras_masking.exporting.source import Source


def write(source: Source, path: Path) -> None:
    """Writes the model, by way of a SavedModel.

    Raises:
        ExportError: If the file needs operations of TensorFlow, which no
            interpreter that pip installs has.
    """
    with tempfile.TemporaryDirectory() as folder:
        tensorflow_access.save(source, Path(folder))
        content, foreign = tensorflow_access.to_litert(Path(folder))
    if foreign:
        raise ExportError(
            "LiteRT has no operation for "
            f"{', '.join(sorted(foreign))} of TensorFlow"
        )
    path.write_bytes(content)


def open_file(path: Path, source: Source) -> Run:
    """Opens the file in LiteRT's interpreter."""
    runtime: Any = import_module("ai_edge_litert.interpreter")
    interpreter = runtime.Interpreter(str(path))

    def answer(arrays: Any) -> list[np.ndarray]:
        run = interpreter.get_signature_runner(tensorflow_access.KEY)
        found = run(**dict(zip(source.names, arrays)))
        return [np.array(found[name]) for name in source.outputs]

    return answer
