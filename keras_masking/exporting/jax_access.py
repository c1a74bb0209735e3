"""JAX's exporters: `jax.export`, and `jax2onnx` for ONNX.

`keras.ops` cannot reach them. Keras' `Model.export` gives the steps of each
input a size of its own, so that a mask does not fit its tensor.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from keras_masking.exporting.source import Source


def to_program(source: Source) -> Any:
    """The model as a `jax.export.Exported`, for the platform in use."""
    jax: Any = import_module("jax")
    export: Any = import_module("jax.export")
    scope = export.SymbolicScope()
    specs = [
        jax.ShapeDtypeStruct(
            export.symbolic_shape(", ".join(map(str, shape)), scope=scope),
            slot.dtype,
        )
        for slot, shape in zip(source.signature.slots, source.shapes())
    ]
    return export.export(jax.jit(source.flat))(*specs)


def to_onnx(source: Source, path: Path) -> None:
    """Writes the model with `jax2onnx`."""
    jax: Any = import_module("jax")
    converter: Any = import_module("jax2onnx")
    converter.to_onnx(
        source.flat,
        inputs=[
            jax.ShapeDtypeStruct(shape, np.dtype(slot.dtype))
            for slot, shape in zip(source.signature.slots, source.shapes())
        ],
        input_names=source.names,
        output_names=source.outputs,
        return_mode="file",
        output_path=str(path),
    )


def save(program: Any, path: Path) -> None:
    """Writes an exported program."""
    path.write_bytes(program.serialize())


def load(path: Path) -> Callable[[Any], list[np.ndarray]]:
    """The function that answers in a file of `save`."""
    export: Any = import_module("jax.export")
    run = export.deserialize(bytearray(path.read_bytes())).call

    def answer(arrays: Any) -> list[np.ndarray]:
        return [np.asarray(x, _plain(x)) for x in run(*arrays)]

    return answer


def _plain(x: Any) -> Any:
    return "float32" if x.dtype.name.endswith("float16") else x.dtype
