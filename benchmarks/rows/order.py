"""Steps are joined, moved, repeated, numbered, looked up."""

from typing import Any

import keras
from keras import ops

from benchmarks.batch import IDS
from benchmarks.row import FLOOR
from benchmarks.row import KERAS
from benchmarks.row import OURS
from benchmarks.row import SMALL
from benchmarks.row import Contender
from benchmarks.row import Rows
from benchmarks.rows.pooling import IGNORES
from benchmarks.rows.pooling import pair
from benchmarks.rows.reductions import masked
from benchmarks.rows.reductions import op
from benchmarks.rows.reductions import plain
from benchmarks.rows.reductions import unmasked
from keras_masking import layers
from keras_masking import ops as ours

SEES_NONE = "is the floor: its call gets no mask"
rows = Rows("order", {"shapes": SMALL})


def two(b: Any) -> tuple[Any, ...]:
    return b.x, b.other, b.mask


def merged(layer: Any, with_mask: bool = True) -> Contender:
    """A layer of a list of two sequences."""

    def call(x: Any, y: Any, m: Any) -> Any:
        return layer([x, y], mask=[m, m]) if with_mask else layer([x, y])

    return Contender(call, (), two)


def merging(b: Any, name: str, **config: Any) -> dict[str, Contender]:
    theirs = getattr(keras.layers, name)(**config, dtype=b.dtype)
    mine = getattr(layers, f"Masked{name}")(**config, dtype=b.dtype)
    return {FLOOR: merged(theirs, False), OURS: merged(mine)}


@rows.add("add", "MaskedAdd", SEES_NONE)
def add(b: Any) -> dict[str, Contender]:
    return merging(b, "Add")


@rows.add("multiply", "MaskedMultiply", SEES_NONE)
def multiply(b: Any) -> dict[str, Contender]:
    return merging(b, "Multiply")


@rows.add("concatenate", "MaskedConcatenate", SEES_NONE)
def concatenate(b: Any) -> dict[str, Contender]:
    return merging(b, "Concatenate")


@rows.add("pack", "TemporalConcatenate", "none")
def pack(b: Any) -> dict[str, Contender]:
    joined = Contender(lambda x, y, m: ops.concatenate([x, y], axis=1), (), two)
    return {
        FLOOR: joined,
        OURS: merged(layers.TemporalConcatenate(dtype=b.dtype)),
    }


@rows.add("reverse", "TemporalReverse", "none")
def reverse(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.flip(x, axis=1)),
        OURS: masked(layers.TemporalReverse(dtype=b.dtype)),
    }


@rows.add("compact", "CompactSteps", "none; the floor copies")
def compact(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(ops.copy),
        OURS: masked(layers.CompactSteps(dtype=b.dtype)),
    }


@rows.add("split", "TemporalSplit(2)", "none")
def split(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.split(x, 2, axis=1)),
        OURS: masked(layers.TemporalSplit(2, dtype=b.dtype)),
    }


@rows.add("cropping", "MaskedCropping1D(1)", IGNORES)
def cropping(b: Any) -> dict[str, Contender]:
    return pair(b, "Cropping1D", cropping=1)


@rows.add("zero_padding", "MaskedZeroPadding1D(1)", IGNORES)
def zero_padding(b: Any) -> dict[str, Contender]:
    return pair(b, "ZeroPadding1D", padding=1)


@rows.add("up_sampling", "MaskedUpSampling1D(2)", IGNORES)
def up_sampling(b: Any) -> dict[str, Contender]:
    return pair(b, "UpSampling1D", size=2)


@rows.add(
    "time_distributed",
    "MaskedTimeDistributed(Dense(64))",
    "TimeDistributed, with the mask",
)
def time_distributed(b: Any) -> dict[str, Contender]:
    def inner() -> Any:
        return keras.layers.Dense(64, dtype=b.dtype)

    theirs = keras.layers.TimeDistributed
    mine = layers.MaskedTimeDistributed
    return {
        FLOOR: unmasked(theirs(inner(), dtype=b.dtype)),
        KERAS: masked(theirs(inner(), dtype=b.dtype)),
        OURS: masked(mine(inner(), dtype=b.dtype)),
    }


@rows.add(
    "embedding",
    "CustomEmbedding(mask_zero=True)",
    "Embedding(mask_zero=True)",
    takes_nan=False,
)
def embedding(b: Any) -> dict[str, Contender]:
    def look_up(layer: Any) -> Contender:
        return Contender(layer, [layer], lambda b: (b.ids,))

    theirs, mine = keras.layers.Embedding, layers.CustomEmbedding
    size = (IDS, b.shape[2])
    return {
        FLOOR: look_up(theirs(*size, dtype=b.dtype)),
        KERAS: look_up(theirs(*size, mask_zero=True, dtype=b.dtype)),
        OURS: look_up(mine(*size, mask_zero=True, dtype=b.dtype)),
    }


@rows.add("positions", "MaskedPositionEmbedding", "none; a table, sliced")
def positions(b: Any) -> dict[str, Contender]:
    mine = layers.MaskedPositionEmbedding(b.shape[1], dtype=b.dtype)
    theirs = layers.MaskedPositionEmbedding(b.shape[1], dtype=b.dtype)

    def floor(x: Any) -> Any:
        table = theirs.position_embeddings
        return ops.broadcast_to(table[None], ops.shape(x))

    return {FLOOR: plain(floor, theirs), OURS: masked(mine)}


@rows.add(
    "sines",
    "MaskedSinePositionEncoding",
    "none; the floor is ours without a mask",
    modes=("predict",),
)
def sines(b: Any) -> dict[str, Contender]:
    kind = layers.MaskedSinePositionEncoding
    return {
        FLOOR: unmasked(kind(dtype=b.dtype)),
        OURS: masked(kind(dtype=b.dtype)),
    }


@rows.add("zero", "apply_mask", "none; the floor copies")
def zero(b: Any) -> dict[str, Contender]:
    return {FLOOR: plain(ops.copy), OURS: op(ours.apply_mask)}


@rows.add("activation", "MyActivation('relu')", SEES_NONE)
def activation(b: Any) -> dict[str, Contender]:
    theirs = keras.layers.Activation("relu", dtype=b.dtype)
    return {
        FLOOR: plain(theirs),
        OURS: masked(layers.MyActivation("relu", dtype=b.dtype)),
    }
