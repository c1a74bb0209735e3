"""OpenVINO, an `.xml` file and a `.bin` file beside it.

From TensorFlow by a SavedModel; from JAX and PyTorch by an ONNX file: OpenVINO
reads neither a SavedModel of JAX nor the sizes that a program of PyTorch leaves
open.
"""

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_masking.exporting import onnx_file
from keras_masking.exporting import tensorflow_access
from keras_masking.exporting.source import Run
from keras_masking.exporting.source import Source


def write(source: Source, path: Path) -> None:
    """Writes the model."""
    openvino: Any = import_module("openvino")
    with tempfile.TemporaryDirectory() as folder:
        if keras.backend.backend() == "tensorflow":
            tensorflow_access.save(source, Path(folder))
            model = openvino.convert_model(folder)
        else:
            onnx_file.write(source, Path(folder, "model.onnx"))
            model = openvino.convert_model(str(Path(folder, "model.onnx")))
        _set_names(model, source)
        openvino.save_model(model, str(path), compress_to_fp16=False)


def _set_names(model: Any, source: Source) -> None:
    """Names inputs and outputs, and puts the inputs in their order."""
    for x in model.inputs:
        own = [n for n in x.get_names() if n.split(":")[0] in source.names]
        x.tensor.set_names({own[0].split(":")[0]})
    if len(model.outputs) == len(source.outputs) == 1:
        model.outputs[0].tensor.set_names({source.outputs[0]})


def open_file(path: Path, source: Source) -> Run:
    """Compiles the file for the CPU, in float32."""
    openvino: Any = import_module("openvino")
    compiled = openvino.Core().compile_model(
        str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )

    def answer(arrays: Any) -> list[np.ndarray]:
        found = compiled(dict(zip(source.names, arrays)))
        return [np.array(found[name]) for name in source.outputs]

    return answer


NOTE = (
    "OpenVINO was compared with INFERENCE_PRECISION_HINT f32. On a CPU with "
    "units for bfloat16 it computes in bfloat16 by default, and differs by "
    "about 0.01: compile with {'INFERENCE_PRECISION_HINT': 'f32'}."
)
