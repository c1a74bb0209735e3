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


SLOTS = "slots"  # of a tensor with an entry for each sequence
MIXES = "it may mix the sequences of a row, which a pooling has made steps"


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
    """A call in a model: its tensors, by key, its layer, and the need."""

    inputs: list[Any]
    outputs: list[Any]
    need: Any
    layer: Any


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
    inputs, walked, align, refused = _walk(model)
    if refused:
        named = [f"'{edge.layer.name}': {why}" for edge, why in refused]
        raise ValueError(
            describe(
                "`packing_gap`",
                f"every layer must take packed rows. Not: {'; '.join(named)}.",
                "Pass `packed=True` or `max_segments=n` to our layers, and "
                "take ours for those of Keras that work across steps: "
                "`convert(model, packed=True, max_segments=n)`.",
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


def unpackable(model: keras.Model) -> list[tuple[Any, str]]:
    """The layers and operations that cannot take packed rows, and why."""
    return [(edge.layer, why) for edge, why in _walk(model)[-1]]


def _walk(
    model: Any,
) -> tuple[list[Any], list[Edge], int, list[tuple[Edge, str]]]:
    """The inputs, the calls on steps, the alignment, and what is refused."""
    inputs, _, edges = _edges(model, ())
    # How many input steps a step of a tensor is; `SLOTS` after a pooling.
    scales: dict[Any, Any] = dict.fromkeys(inputs, Fraction(1))
    align = 1
    refused: list[tuple[Edge, str]] = []
    walked: list[Edge] = []
    for edge in edges:
        known = [x for key in edge.inputs if (x := scales.get(key)) is not None]
        if not known:
            continue
        after, need = known[0], edge.need
        if SLOTS in known:
            after = SLOTS
            if isinstance(need, str) or not need.pointwise:
                refused.append((edge, MIXES))
        elif isinstance(need, str):
            refused.append((edge, need))
        else:
            walked.append(edge)
            after = after * need.strides / need.repeats
            if need.strides > 1:
                align = lcm(align, after.numerator)
            if need.pools:
                after = SLOTS
        scales |= dict.fromkeys(edge.outputs, after)
    return inputs, walked, align, refused


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
            [Edge([a], [b], STEPWISE, layer) for a, b in pair] for pair in pairs
        )
        return [*into, *edges, *out]
    return [Edge(before, after, _need(layer), layer)]


def _need(layer: Any) -> Any:
    """The need of a layer, or why it cannot take packed rows."""
    own = getattr(layer, "packing_need", None)
    if own is not None:
        return own
    inner = getattr(layer, "layer", None)
    if inner is not None and type(layer) not in OF_KERAS:
        return _need(inner)
    if type(layer) in OF_KERAS:
        axes = keras.tree.flatten(getattr(layer, "axis", None))
        return "it normalizes the steps" if {1, -2} & {*axes} else STEPWISE
    if type(layer) is keras.layers.Concatenate and layer.axis in (-1, 2):
        return STEPWISE
    if not isinstance(layer, keras.layers.Layer):
        return "an operation between layers, which may mix steps"
    return "nothing is known of its need"
