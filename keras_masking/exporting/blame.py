"""Which layer a file fails at: the first whose answer already differs.

Parts of the model, from its inputs to a layer, are exported one by one, by
bisection.
"""

import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_masking._keras import graph_calls
from keras_masking._keras import is_functional
from keras_masking.exporting.batches import Batch
from keras_masking.exporting.formats import Format
from keras_masking.exporting.formats import missing_package
from keras_masking.exporting.formats import module_of
from keras_masking.exporting.quiet import quiet
from keras_masking.exporting.signature import Signature
from keras_masking.exporting.signature import known_inputs
from keras_masking.exporting.source import Source
from keras_masking.exporting.verify import verify

UNKNOWN = (
    "Which layer causes it was not found: only the layers of Functional and "
    "Sequential models can be exported one by one."
)


def blame(
    source: Source,
    chosen: Format,
    batch: Batch | None,
    tolerance: float | None,
) -> str:
    """A sentence that names the layer at which it starts, and whose it is.

    Args:
        source: The model.
        chosen: The format.
        batch: A batch that the file answers otherwise; None if there is no
            file, or it does not open.
        tolerance: As of `export`.
    """
    calls = _calls(source.model)
    if not calls:
        return UNKNOWN
    low, high = 0, len(calls) - 1  # the last one is known to fail
    while low < high:
        middle = (low + high) // 2
        if _is_right(source, calls[middle], chosen, batch, tolerance):
            low = middle + 1
        else:
            high = middle
    layer = calls[low].operation
    if low == 0:
        return f"It starts at the first layer, {layer.name!r}, {_kind(layer)}."
    return (
        f"It starts at {layer.name!r}, {_kind(layer)}: a model that ends "
        "before it is right."
    )


def _kind(layer: Any) -> str:
    """Its class and whose that is, and the layer that it wraps."""
    inner = getattr(layer, "layer", None)
    around = ""
    if isinstance(inner, keras.layers.Layer):
        around = f" around {_kind(inner)}"
    return f"a {type(layer).__name__} of {_owner(layer)}{around}"


def _calls(model: Any) -> list[Any]:
    """The calls of a model, in order; the outputs are of the last."""
    if known_inputs(model) is None:
        return []
    if isinstance(model, keras.Sequential):
        model = getattr(model, "_functional", None)
    return graph_calls(model) if model and is_functional(model) else []


def _owner(layer: Any) -> str:
    package = type(layer).__module__.split(".")[0]
    if package == "keras_masking":
        return "keras-masking"
    return "Keras" if package == "keras" else "your own code"


def _is_right(
    source: Source,
    call: Any,
    chosen: Format,
    batch: Batch | None,
    tolerance: float | None,
) -> bool:
    """Whether the part of the model that ends with a call is exported right."""
    tensors = source.model.inputs
    signature = Signature(
        source.signature.slots,
        list(range(len(tensors))),
        source.signature.given,
    )
    can_open = missing_package(chosen, verify=True) is None
    try:
        with tempfile.TemporaryDirectory() as folder, quiet():
            part = keras.Model(tensors, call.outputs)
            own = _Part(source, part, signature)
            if _computes_nothing(own):
                return True
            path = Path(folder, f"part{chosen.suffix}")
            module_of(chosen).write(own, path)
            if not can_open:
                return True
            run = module_of(chosen).open_file(path, own)
            tried = [] if batch is None else [batch]
            return verify(own, run, tried, tolerance).failed is None
    except Exception:
        return False


def _computes_nothing(part: Source) -> bool:
    """Whether a part hands its inputs on, for which some runtimes fail."""
    given = part.batches.traced()
    return all(
        any(np.array_equal(x, y) for x in given) for y in part.predict(given)
    )


class _Part(Source):
    """A part of a model, with the sizes that the whole model has."""

    def __init__(self, whole: Source, part: Any, signature: Signature) -> None:
        self.model, self.signature = part, signature
        self.verified = whole.verified
        self.sizes, self.batches = whole.sizes, whole.batches
        self.outputs = [
            f"output_{i}" for i in range(len(keras.tree.flatten(part.output)))
        ]
