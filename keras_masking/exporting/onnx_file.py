"""ONNX: written on each backend by its own converter, run by ONNX Runtime."""

from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_masking.exporting import jax_access
from keras_masking.exporting import tensorflow_access
from keras_masking.exporting import torch_access
from keras_masking.exporting.source import Run
from keras_masking.exporting.source import Source


def write(source: Source, path: Path) -> None:
    """Writes the model."""
    backend = keras.backend.backend()
    if backend == "torch":
        torch_access.to_onnx(source, path)
    elif backend == "jax":
        jax_access.to_onnx(source, path)
    else:
        tensorflow_access.to_onnx(source, path)
    _set_names(source, path)


def _set_names(source: Source, path: Path) -> None:
    """Names the inputs, the outputs and the open sizes."""
    onnx: Any = import_module("onnx")
    model = onnx.load(str(path))
    graph = model.graph
    inside = {x.name for x in graph.initializer}
    taken = [x for x in graph.input if x.name not in inside]
    wanted = dict(zip((x.name for x in taken), source.names))
    wanted |= dict(zip((x.name for x in graph.output), source.outputs))
    for x, shape in zip(taken, source.shapes()):
        for size, named in zip(x.type.tensor_type.shape.dim, shape):
            if isinstance(named, str):
                size.dim_param = named
    if all(old == new for old, new in wanted.items()):
        onnx.save(model, str(path))
        return
    _rename(graph, _names(graph, wanted))
    onnx.save(model, str(path))


def _names(graph: Any, wanted: dict[str, str]) -> dict[str, str]:
    """The wanted names, and others for values that have one of these."""
    used = {name for node in graph.node for name in (*node.input, *node.output)}
    used |= {x.name for x in (*graph.input, *graph.initializer)}
    taken = (set(wanted.values()) & used) - set(wanted)
    return {**{name: f"{name}_inside" for name in taken}, **wanted}


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Renames values, in nested graphs too."""
    for part in (graph.input, graph.output, graph.initializer):
        for x in part:
            x.name = names.get(x.name, x.name)
    for x in graph.value_info:
        x.name = names.get(x.name, x.name)
    for node in graph.node:
        _replace(node.input, names)
        _replace(node.output, names)
        for attribute in node.attribute:
            for nested in (attribute.g, *attribute.graphs):
                _rename(nested, names)


def _replace(those: Any, names: dict[str, str]) -> None:
    for i, name in enumerate(those):
        those[i] = names.get(name, name)


def open_file(path: Path, source: Source) -> Run:
    """Opens the file in ONNX Runtime, on the CPU."""
    runtime: Any = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    session = runtime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )

    def answer(arrays: Any) -> list[np.ndarray]:
        found = session.run(source.outputs, dict(zip(source.names, arrays)))
        return [np.asarray(x) for x in found]

    return answer
