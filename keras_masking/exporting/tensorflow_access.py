"""TensorFlow's SavedModel and its LiteRT converter.

`keras.ops` cannot reach them, and runs no SavedModel. Keras' `ExportArchive`
writes it, on JAX too.
"""

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_masking._keras import adapt_tf2onnx
from keras_masking.exporting.source import Run
from keras_masking.exporting.source import Source

KEY = "serving_default"
_FLEX = re.compile(rb"Flex[A-Z]\w+")


def save(source: Source, path: Path) -> None:
    """Writes a SavedModel whose function takes the inputs by their names."""
    archive = keras.export.ExportArchive()
    archive.track(source.model)
    options = {}
    if keras.backend.backend() == "jax":
        # By itself Keras gives the steps of each input a size of its own.
        shapes = [f"({', '.join(map(str, s))})" for s in source.shapes()]
        options["jax2tf_kwargs"] = {
            "polymorphic_shapes": shapes,
            "with_gradient": False,  # which fails for some layers
        }
    archive.add_endpoint("serve", _named(source), _specs(source), **options)
    archive.write_out(str(path), verbose=False)


def _specs(source: Source) -> list[Any]:
    tensorflow: Any = import_module("tensorflow")
    return [
        tensorflow.TensorSpec(slot.shape, slot.dtype, slot.name)
        for slot in source.signature.slots
    ]


def _named(source: Source) -> Any:
    """The function of the model, with the names of its inputs."""

    def serve(*args: Any, **kwargs: Any) -> Any:
        args += tuple(kwargs[n] for n in source.names if n in kwargs)
        return source.call(*args)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    serve.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in source.names]
    )
    return serve


def load(path: Path, source: Source) -> Run:
    """The function that answers in a SavedModel."""
    tensorflow: Any = import_module("tensorflow")
    loaded = tensorflow.saved_model.load(str(path))
    run = loaded.signatures[KEY]

    def answer(arrays: Any) -> list[np.ndarray]:
        found = run(
            **{
                name: tensorflow.constant(x)
                for name, x in zip(source.names, arrays)
            }
        )
        assert loaded is not None  # noqa: S101  it keeps the variables alive
        return [found[name].numpy() for name in source.outputs]

    return answer


def to_onnx(source: Source, path: Path) -> None:
    """Writes the model with `tf2onnx`."""
    tensorflow: Any = import_module("tensorflow")
    converter: Any = import_module("tf2onnx")
    adapt_tf2onnx()
    specs = _specs(source)
    converter.convert.from_function(
        tensorflow.function(_named(source), input_signature=specs),
        specs,
        custom_rewriter=[_select_exactly],
        output_path=str(path),
    )


def _select_exactly(graph: Any, operations: Any) -> Any:
    """Has `where` written as a selection.

    By itself `tf2onnx` writes a sum of products, in which NaN at padding
    reaches real steps.
    """
    for one in operations:
        if one.type in ("Select", "SelectV2"):
            one.set_attr("handles_nan", True)
    return operations


def to_litert(folder: Path) -> tuple[bytes, set[str]]:
    """A SavedModel in the format of LiteRT.

    Returns:
        The file, and the operations in it that are not LiteRT's own.
    """
    tensorflow: Any = import_module("tensorflow")
    lite = tensorflow.lite
    converter = lite.TFLiteConverter.from_saved_model(
        str(folder), signature_keys=[KEY]
    )
    converter.target_spec.supported_ops = [
        lite.OpsSet.TFLITE_BUILTINS,
        lite.OpsSet.SELECT_TF_OPS,
    ]
    content = converter.convert()
    return content, {name.decode() for name in _FLEX.findall(content)}
