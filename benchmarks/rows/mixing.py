"""Steps are mixed: convolution, normalization, recurrence."""

from typing import Any

import keras

from benchmarks.row import FIVE
from benchmarks.row import FLOOR
from benchmarks.row import HEADLINE
from benchmarks.row import KERAS
from benchmarks.row import OURS
from benchmarks.row import Contender
from benchmarks.row import Rows
from benchmarks.row import at_most
from benchmarks.rows.pooling import IGNORES
from benchmarks.rows.pooling import pair
from benchmarks.rows.reductions import masked
from benchmarks.rows.reductions import unmasked
from keras_masking import layers

CONV = (at_most(1.2),)
SHORT = ((16, 512, 128),)
rows = Rows("mixing")


@rows.add(
    "conv_64",
    "MaskedConv1D(64, 3, same)",
    IGNORES,
    shapes=FIVE,
    half=True,
    targets=CONV,
)
def conv_64(b: Any) -> dict[str, Contender]:
    return pair(b, "Conv1D", filters=64, kernel_size=3, padding="same")


@rows.add(
    "conv_256",
    "MaskedConv1D(256, 3, same)",
    IGNORES,
    shapes=((256, 64, 128), (12, 512, 256)),
    targets=CONV,
)
def conv_256(b: Any) -> dict[str, Contender]:
    return pair(b, "Conv1D", filters=256, kernel_size=3, padding="same")


@rows.add(
    "conv_stack",
    "three MaskedConv1D(64, 3, same, relu)",
    IGNORES,
    shapes=SHORT,
    targets=CONV,
)
def conv_stack(b: Any) -> dict[str, Contender]:
    config = {"padding": "same", "activation": "relu", "dtype": b.dtype}

    def stack(kind: Any, with_mask: bool) -> Contender:
        inside = [kind(64, 3, **config) for _ in range(3)]

        def call(x: Any, m: Any) -> Any:
            first, *others = inside
            x = first(x, mask=m) if with_mask else first(x)
            for layer in others:
                x = layer(x)  # ours carry the mask on
            return x

        shapes = [b.shape, *2 * [(*b.shape[:2], 64)]]
        return Contender(call, inside, shapes=[[shape] for shape in shapes])

    return {
        FLOOR: stack(keras.layers.Conv1D, False),
        OURS: stack(layers.MaskedConv1D, True),
    }


@rows.add(
    "depthwise",
    "MaskedDepthwiseConv1D(3, same)",
    IGNORES,
    shapes=SHORT,
    targets=CONV,
)
def depthwise(b: Any) -> dict[str, Contender]:
    return pair(b, "DepthwiseConv1D", kernel_size=3, padding="same")


@rows.add(
    "separable",
    "MaskedSeparableConv1D(64, 3, same)",
    IGNORES,
    shapes=SHORT,
    targets=CONV,
)
def separable(b: Any) -> dict[str, Contender]:
    return pair(b, "SeparableConv1D", filters=64, kernel_size=3, padding="same")


@rows.add(
    "transposed",
    "MaskedConv1DTranspose(64, 3, 2, same)",
    IGNORES,
    shapes=SHORT,
    targets=CONV,
)
def transposed(b: Any) -> dict[str, Contender]:
    config = {"filters": 64, "kernel_size": 3, "strides": 2, "padding": "same"}
    return pair(b, "Conv1DTranspose", **config)


@rows.add(
    "group_norm",
    "MaskedGroupNormalization(8)",
    IGNORES,
    shapes=(HEADLINE, (256, 64, 128)),
    half=True,
    targets=(at_most(1.5),),
)
def group_norm(b: Any) -> dict[str, Contender]:
    return pair(b, "GroupNormalization", groups=8)


def recurrent(b: Any, kind: Any) -> dict[str, Contender]:
    def make() -> Any:
        return kind(128, return_sequences=True, dtype=b.dtype)

    return {
        FLOOR: unmasked(make()),
        KERAS: masked(make()),
        OURS: masked(layers.KeepMask(make(), dtype=b.dtype)),
    }


@rows.add(
    "lstm",
    "KeepMask(LSTM(128))",
    "LSTM, with the mask",
    shapes=((32, 64, 64),),
    targets=(at_most(1.1, KERAS),),
)
def lstm(b: Any) -> dict[str, Contender]:
    return recurrent(b, keras.layers.LSTM)


@rows.add(
    "gru",
    "KeepMask(GRU(128))",
    "GRU, with the mask",
    shapes=((32, 64, 64),),
    targets=(at_most(1.1, KERAS),),
)
def gru(b: Any) -> dict[str, Contender]:
    return recurrent(b, keras.layers.GRU)
