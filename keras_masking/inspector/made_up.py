"""Inputs with padding for a model, made of its signature alone."""

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
    takes them, else with zeros. Integers are ids that such a layer has a row
    for, boolean `(batch, steps)` inputs are masks, and one integer a row
    beside a sequence is the row's length.

    Args:
        model: A built model that knows its inputs.
        rows: The batch, where the model leaves it open.
        steps: The size of every other axis that the model leaves open.
        seed: What random numbers start from.

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
                "make_up",
                "inputs are made up for a model that knows its inputs.",
                "Pass inputs, as you would to `predict`.",
                model=f"{model.name}, a {type(model).__name__} without `inputs`",
            )
        )
    rng = np.random.default_rng(seed)
    shapes = [_shape(x.shape, rows, steps) for x in tensors]
    sequences = [
        s[1] for x, s in zip(tensors, shapes) if _is_sequence(model, x, s)
    ]
    arrays, told = [], []
    for place, (tensor, shape) in enumerate(zip(tensors, shapes)):
        array, how = _make(model, place, shape, sequences, rng)
        arrays.append(array.astype(_numpy_dtype(tensor.dtype)))
        told.append(f"{tensor.name} {shape}: {how}")
    told_all = f"The inputs were made up. {'; '.join(told)}."
    if isinstance(model, keras.Sequential):
        return arrays[0], told_all
    return keras.tree.pack_sequence_as(model.input, arrays), told_all


def _shape(shape: tuple[int | None, ...], rows: int, steps: int) -> Shape:
    sizes = [steps if size is None else size for size in shape]
    if shape and shape[0] is None:
        sizes[0] = rows
    return tuple(sizes)


def _is_sequence(model: Any, tensor: Any, shape: Shape) -> bool:
    """Whether axis 1 is steps, not features: of floats it takes a third."""
    if len(shape) < 2 or shape[1] < 2:
        return False
    floats = not tensor.dtype.startswith(("int", "uint", "bool"))
    known = len(shape) > 2 or tensor.shape[1] is None or not floats
    return known or bool(_known(model, _place(model, tensor), "input_dim"))


def _place(model: Any, tensor: Any) -> int:
    return next(i for i, x in enumerate(model.inputs) if x is tensor)


def _make(
    model: Any, place: int, shape: Shape, sequences: list[int], rng: Any
) -> tuple[np.ndarray, str]:
    """The array for one input, and how it was made."""
    tensor = model.inputs[place]
    dtype, who = tensor.dtype, tensor.name
    if dtype == "string":
        raise ValueError(
            describe(
                "make_up",
                "text is not made up.",
                "Pass inputs, as you would to `predict`.",
                input=f"{who} of dtype string",
            )
        )
    sequence = _is_sequence(model, tensor, shape)
    lengths = _lengths(shape[0], shape[1] if sequence else 0)
    real = np.arange(shape[1]) < lengths[:, None] if sequence else None
    rows = f"{', '.join(map(str, lengths))} real steps"
    if dtype == "bool":
        if real is not None and len(shape) == 2:
            return real, f"a mask with {rows}"
        return np.ones(shape, bool), "all True"
    below = min(_known(model, place, "input_dim"), default=None)
    if dtype.startswith(("int", "uint")) or below is not None:
        one_a_row = np.prod(shape[1:]) == 1
        if below is None and one_a_row and sequences:
            lengths = _lengths(shape[0], sequences[0])
            told = ", ".join(map(str, lengths))
            return lengths.reshape(shape), f"the lengths {told}"
        pad = _padding(model, place)
        ids = np.arange(1, max(below or 2, 2))
        ids = ids[ids != pad] if (ids != pad).any() else ids
        values, what = rng.choice(ids, shape), f"ids from 1 to {ids[-1]}"
    else:
        pad, values, what = _padding(model, place), rng.normal(size=shape), ""
        what = "normal noise"
    if real is None:
        return values, what
    real = real.reshape(real.shape + (1,) * (len(shape) - 2))
    return np.where(real, values, pad), f"{what}, {rows}, padding {pad:g}"


def _lengths(rows: int, steps: int) -> np.ndarray:
    """From all steps down to a third of them; a single row has padding."""
    short = max(1, steps // 3)
    return np.linspace(steps, short, rows + (rows == 1)).astype(int)[-rows:]


def _padding(model: Any, place: int) -> float:
    """What a layer that takes the input holds for padding."""
    return next(iter(_known(model, place, "mask_value")), 0)


def _known(model: Any, place: int, attribute: str) -> list[float]:
    """The numbers that layers which take an input have as an attribute."""
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


def _numpy_dtype(dtype: str) -> str:
    """NumPy has no bfloat16; a model casts what it is given."""
    return "float32" if dtype in ("bfloat16",) else dtype
