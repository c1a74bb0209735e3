"""Inputs with padding for a model, made from its signature."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_masking._keras import graph_calls
from keras_masking._keras import with_sublayers
from keras_masking.errors import describe

Shape = tuple[int, ...]


def make_up(
    model: Any, rows: int = 3, steps: int = 7, seed: int = 0
) -> tuple[Any, str]:
    """Makes inputs for a built model: rows of unequal length, padded.

    Sequences are padded on the right: with the `mask_value` of a layer that
    takes them, else with zeros. Integers are ids for which such a layer has a
    row, boolean `(batch, steps)` inputs are masks, and one integer per row,
    beside a sequence, is its length.

    Args:
        model: A built model that knows its inputs.
        rows: The size of the batch, if the model leaves it open.
        steps: The size of every other axis that the model leaves open.
        seed: The seed of random numbers.

    Returns:
        The inputs, in the structure of `model.input`, and a sentence that
        says how they were made up.

    Raises:
        ValueError: If the model does not know its inputs, or takes strings.
    """
    tensors = getattr(model, "inputs", None)
    if not tensors:
        raise ValueError(
            describe(
                "`inspect_masks`",
                "inputs are made up only for a model that knows its inputs.",
                "Pass inputs, as you would to `predict`.",
                model=f"{type(model).__name__} without `inputs`",
            )
        )
    rng = np.random.default_rng(seed)
    shapes = [_shape(x.shape, rows, steps) for x in tensors]
    sequences = [
        shape[1]
        for place, shape in enumerate(shapes)
        if _is_sequence(model, place, shape)
    ]
    arrays, parts = [], []
    for place, (tensor, shape) in enumerate(zip(tensors, shapes)):
        array, how = _make(model, place, shape, sequences, rng)
        # NumPy has no bfloat16; the model casts its inputs.
        dtype = "float32" if tensor.dtype == "bfloat16" else tensor.dtype
        arrays.append(array.astype(dtype))
        parts.append(f"{tensor.name} {shape}: {how}")
    sentence = f"The inputs were made up: {'; '.join(parts)}."
    if isinstance(model, keras.Sequential):
        return arrays[0], sentence
    return keras.tree.pack_sequence_as(model.input, arrays), sentence


def _shape(shape: tuple[int | None, ...], rows: int, steps: int) -> Shape:
    sizes = [rows, *[steps] * len(shape)]
    return tuple(o if n is None else n for n, o in zip(shape, sizes))


def _is_sequence(model: Any, place: int, shape: Shape) -> bool:
    """Whether axis 1 is steps; in floats of rank 2, it may be features."""
    tensor = model.inputs[place]
    if len(shape) < 2 or shape[1] < 2:
        return False
    if len(shape) > 2 or tensor.shape[1] is None or not _is_float(tensor):
        return True
    return bool(known(model, place, "input_dim"))


def _is_float(tensor: Any) -> bool:
    return not tensor.dtype.startswith(("int", "uint", "bool"))


def _make(
    model: Any, place: int, shape: Shape, sequences: list[int], rng: Any
) -> tuple[np.ndarray, str]:
    """The array for one input, and how it was made."""
    tensor = model.inputs[place]
    if tensor.dtype == "string":
        raise ValueError(
            describe(
                "`inspect_masks`",
                "text inputs cannot be made up.",
                "Pass inputs, as you would to `predict`.",
                input=f"{tensor.name} of dtype string",
            )
        )
    below = min(known(model, place, "input_dim"), default=None)
    one_a_row = len(shape) == 1 or shape[1:] == (1,)
    if tensor.dtype == "bool":
        values, what, pad = np.ones(shape, bool), "True", 0.0
    elif _is_float(tensor) and below is None:
        values, what = rng.normal(size=shape), "normal noise"
        pad = _padding(model, place)
    elif below is None and one_a_row and sequences:
        lengths = _lengths(shape[0], sequences[0])
        return lengths.reshape(shape), f"the lengths {_row(lengths)}"
    else:
        pad = _padding(model, place)
        ids = [i for i in range(1, int(below or 2)) if i != pad] or [0]
        values, what = rng.choice(ids, shape), f"ids from 1 to {ids[-1]}"
    if not _is_sequence(model, place, shape):
        return values, what
    lengths = _lengths(shape[0], shape[1])
    real = np.arange(shape[1]) < lengths[:, None]
    real = real.reshape(real.shape + (1,) * (len(shape) - 2))
    how = f"{what} in the first {_row(lengths)} steps, then {pad:g}"
    return np.where(real, values, pad), how


def _row(lengths: np.ndarray) -> str:
    return ", ".join(map(str, lengths))


def _lengths(rows: int, steps: int) -> np.ndarray:
    """From all steps down to a third of them; a single row has padding."""
    short = max(1, steps // 3)
    return np.linspace(steps, short, rows + (rows == 1)).astype(int)[-rows:]


def _padding(model: Any, place: int) -> float:
    """The padding value of a layer that takes the input."""
    return next(iter(known(model, place, "mask_value")), 0)


def known(model: Any, place: int, attribute: str) -> list[float]:
    """The numeric values of an attribute of the layers that take an input."""
    return [
        number
        for taker in _takers(model, place)
        for layer in with_sublayers(taker)
        for number in keras.tree.flatten(getattr(layer, attribute, None))
        if isinstance(number, (int, float))
    ]


def _takers(model: Any, place: int) -> Iterator[Any]:
    """The layers that an input goes to, those in nested models too."""
    if isinstance(model, keras.Sequential):
        yield from _takers(model.layers[0], 0)
    elif isinstance(model, keras.Model) and hasattr(model, "inputs"):
        for call in graph_calls(model):
            for at, x in enumerate(call.input_tensors):
                if x is model.inputs[place]:
                    yield from _takers(call.operation, at)
    else:
        yield model
