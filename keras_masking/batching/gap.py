"""How far apart sequences of a packed row must be for a model."""

from fractions import Fraction
from math import ceil
from math import floor
from math import lcm
from typing import Any
from typing import NamedTuple

import keras

from keras_masking._keras import graph_calls
from keras_masking._keras import is_functional
from keras_masking._packing import STEPWISE
from keras_masking.errors import describe

# Layers of Keras that compute each step alone, and keep its mask.
OF_KERAS = (
    keras.layers.InputLayer,
    keras.layers.Dense,
    keras.layers.Embedding,
    keras.layers.Masking,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.ELU,
    keras.layers.PReLU,
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.ActivityRegularization,
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.RMSNormalization,
    keras.layers.UnitNormalization,
    keras.layers.TimeDistributed,
    keras.layers.Add,
    keras.layers.Subtract,
    keras.layers.Multiply,
    keras.layers.Average,
    keras.layers.Maximum,
    keras.layers.Minimum,
)


class PackingGap(NamedTuple):
    """What `pack` and `PackedBatches` need to know of a model.

    Attributes:
        gap: The least number of padding steps between two sequences.
        align: The number of steps of which each start must be a multiple.
        shortest: The least number of steps of a sequence that has an output.
    """

    gap: int
    align: int
    shortest: int


class Edge(NamedTuple):
    """A call in a model: its tensors, by key, and the need of its layer."""

    inputs: list[Any]
    outputs: list[Any]
    need: Any
    name: str


def packing_gap(model: keras.Model) -> PackingGap:
    """How far apart two sequences of a packed row must be for a model.

    The need of each layer, times the strides before it: a convolution must not
    see two sequences in one window, and strides must leave at least one padding
    step between them.

    Args:
        model: A built Functional or Sequential model, also with models inside.

    Returns:
        `gap`, the number of padding steps between two sequences; `align`, the
        number of steps of which each sequence must start at a multiple; and
        `shortest`, the least length of a sequence: a shorter one vanishes in a
        `"valid"` window.

    Raises:
        ValueError: If a layer cannot take packed rows, or nothing is known of
            it; the message names all such layers. A layer of your own says what
            it needs by an attribute `packing_need`, a `PackingNeed`.

    Example:

    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((None, 4)),
    ...         keras_masking.layers.MaskedConv1D(8, 5, padding="same"),
    ...         keras_masking.layers.MaskedConv1D(8, 3, 2, padding="same"),
    ...         keras_masking.layers.MaskedGlobalMaxPooling1D(max_segments=4),
    ...     ]
    ... )
    >>> keras_masking.batching.packing_gap(model)
    PackingGap(gap=2, align=2, shortest=1)
    """
    inputs, _, edges = _edges(model, ())
    # How many input steps a step of a tensor is; None if it has no steps.
    scales: dict[Any, Fraction | None] = dict.fromkeys(inputs, Fraction(1))
    align = 1
    refused: list[str] = []
    walked: list[Edge] = []
    for edge in edges:
        known = [scales.get(key) for key in edge.inputs]
        steps = [scale for scale in known if scale is not None]
        after = steps[0] if steps else None
        if steps and isinstance(edge.need, str):
            refused.append(f"'{edge.name}': {edge.need}")
        elif steps:
            walked.append(edge)
            after = steps[0] * edge.need.strides / edge.need.repeats
            if edge.need.strides > 1:
                align = lcm(align, (steps[0] * edge.need.strides).numerator)
            if edge.need.pools:
                after = None
        scales |= dict.fromkeys(edge.outputs, after)
    if refused:
        raise ValueError(
            describe(
                "`packing_gap`",
                "every layer must take packed rows. Not: "
                + "; ".join(refused)
                + ".",
                "Pass `packed=True` or `max_segments=n` to our layers, and "
                "take ours for those of Keras that work across steps.",
                model=repr(model.name),
            )
        )
    # The gap and the length of sequences that a tensor needs.
    needed: dict[Any, tuple[int, int]] = {}

    def at(keys: list[Any]) -> tuple[int, int]:
        gaps, lengths = zip(*[needed.get(key, (1, 1)) for key in keys])
        return max(gaps), max(lengths)

    for edge in reversed(walked):
        later, length = at(edge.outputs)
        scale = Fraction(edge.need.strides, edge.need.repeats)
        gap = max(edge.need.gap, ceil(later * scale + edge.need.widens))
        length = floor((length - 1) * scale) + 1 + max(0, -edge.need.widens)
        for key in edge.inputs:
            before = at([key])
            needed[key] = max(before[0], gap), max(before[1], ceil(length))
    gap, shortest = at(inputs)
    return PackingGap(gap, align, shortest)


def _edges(
    model: Any, path: tuple[int, ...]
) -> tuple[list[Any], list[Any], list[Edge]]:
    """The inputs, outputs and calls of a model, in order.

    A key is a tensor with the path of the models that it is in, since a model
    may be called twice.
    """

    def key(x: Any) -> Any:
        return (*path, id(x))

    edges: list[Edge] = []
    if isinstance(model, keras.Sequential):
        tensor: Any = (*path, "input")
        inputs = [tensor]
        for place, layer in enumerate(model.layers):
            behind = (*path, "after", place)
            edges += _call(layer, [tensor], [behind], (*path, place))
            tensor = behind
        return inputs, [tensor], edges
    if not is_functional(model) or not model.built:
        raise ValueError(
            describe(
                "`packing_gap`",
                "`model` must be a built Functional or Sequential model.",
                "For another model, take the largest need of its layers, "
                "times the strides before it.",
                model=type(model).__name__,
            )
        )
    for place, node in enumerate(graph_calls(model)):
        before = [key(x) for x in node.input_tensors]
        after = [key(x) for x in node.outputs]
        edges += _call(node.operation, before, after, (*path, place))
    inputs = [key(x) for x in model.inputs]
    return inputs, [key(x) for x in model.outputs], edges


def _call(
    layer: Any, before: list[Any], after: list[Any], path: tuple[int, ...]
) -> list[Edge]:
    """The call of a layer, or the calls inside of a model."""
    if isinstance(layer, keras.Sequential) or is_functional(layer):
        inputs, outputs, edges = _edges(layer, path)
        pairs = zip(before, inputs), zip(outputs, after)
        into, out = (
            [Edge([a], [b], STEPWISE, layer.name) for a, b in pair]
            for pair in pairs
        )
        return [*into, *edges, *out]
    return [Edge(before, after, _need(layer), layer.name)]


def _need(layer: Any) -> Any:
    """The need of a layer, or why it cannot take packed rows."""
    own = getattr(layer, "packing_need", None)
    if own is not None:
        return own
    inner = getattr(layer, "layer", None)
    if inner is not None and type(layer) not in OF_KERAS:
        return _need(inner)
    if type(layer) in OF_KERAS:
        return STEPWISE
    if type(layer) is keras.layers.Concatenate and layer.axis in (-1, 2):
        return STEPWISE
    if not isinstance(layer, keras.layers.Layer):
        return "an operation between layers, which may mix steps"
    return "nothing is known of its need"
