"""Windowed pooling."""

from typing import Any

import keras
from keras import ops

from benchmarks.row import FIVE
from benchmarks.row import FLOOR
from benchmarks.row import OURS
from benchmarks.row import Contender
from benchmarks.row import Rows
from benchmarks.row import at_most
from benchmarks.rows.reductions import masked
from benchmarks.rows.reductions import op
from benchmarks.rows.reductions import plain
from benchmarks.rows.reductions import unmasked
from keras_masking import layers
from keras_masking import ops as ours

IGNORES = "is the floor: it ignores the mask"
rows = Rows("pooling", {"targets": (at_most(1.5),)})


def pair(b: Any, name: str, **config: Any) -> dict[str, Contender]:
    """A layer of Keras' that ignores masks, and ours of the same config."""
    theirs = getattr(keras.layers, name)(**config, dtype=b.dtype)
    mine = getattr(layers, f"Masked{name}")(**config, dtype=b.dtype)
    return {FLOOR: unmasked(theirs), OURS: masked(mine)}


@rows.add(
    "average_2", "MaskedAveragePooling1D(2)", IGNORES, shapes=FIVE, half=True
)
def average_2(b: Any) -> dict[str, Contender]:
    return pair(b, "AveragePooling1D", pool_size=2)


@rows.add("average_4", "MaskedAveragePooling1D(4)", IGNORES)
def average_4(b: Any) -> dict[str, Contender]:
    return pair(b, "AveragePooling1D", pool_size=4)


@rows.add("average_3_1", "MaskedAveragePooling1D(3, 1, same)", IGNORES)
def average_3_1(b: Any) -> dict[str, Contender]:
    config = {"pool_size": 3, "strides": 1, "padding": "same"}
    return pair(b, "AveragePooling1D", **config)


@rows.add("max_2", "MaskedMaxPooling1D(2)", IGNORES, shapes=FIVE, half=True)
def max_2(b: Any) -> dict[str, Contender]:
    return pair(b, "MaxPooling1D", pool_size=2)


@rows.add("max_4", "MaskedMaxPooling1D(4)", IGNORES)
def max_4(b: Any) -> dict[str, Contender]:
    return pair(b, "MaxPooling1D", pool_size=4)


@rows.add("max_3_1", "MaskedMaxPooling1D(3, 1, same)", IGNORES)
def max_3_1(b: Any) -> dict[str, Contender]:
    config = {"pool_size": 3, "strides": 1, "padding": "same"}
    return pair(b, "MaxPooling1D", **config)


@rows.add("window_sum", "window_sum(2, 2)", "none", targets=())
def window_sum(b: Any) -> dict[str, Contender]:
    def floor(x: Any) -> Any:
        return 2 * ops.average_pool(x, 2, 2, "valid", "channels_last")

    return {
        FLOOR: plain(floor),
        OURS: op(lambda x, m: ours.window_sum(x, m, 2, 2)),
    }
