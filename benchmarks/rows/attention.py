"""Attention of a sequence to itself."""

from typing import Any

import keras

from benchmarks.row import FLOOR
from benchmarks.row import KERAS
from benchmarks.row import OURS
from benchmarks.row import Contender
from benchmarks.row import Rows
from benchmarks.row import at_most
from keras_masking import layers

rows = Rows("attention")
TARGETS = (at_most(1.15),)


def attending(layer: Any, b: Any, with_mask: bool) -> Contender:
    """A layer of query and value, whose masks have names."""

    def call(x: Any, m: Any) -> Any:
        if not with_mask:
            return layer(x, x)
        return layer(x, x, query_mask=m, value_mask=m, key_mask=m)

    return Contender(call, [layer], shapes=[[b.shape, b.shape]])


def listed(layer: Any, b: Any, with_mask: bool) -> Contender:
    """A layer of a list of query and value, and of one of masks."""

    def call(x: Any, m: Any) -> Any:
        return layer([x, x], mask=[m, m]) if with_mask else layer([x, x])

    return Contender(call, [layer], shapes=[[[b.shape, b.shape]]])


def three(kind: Any, b: Any, name: str, **config: Any) -> dict[str, Contender]:
    theirs = getattr(keras.layers, name)
    mine = getattr(layers, f"Masked{name}")
    config["dtype"] = b.dtype
    return {
        FLOOR: kind(theirs(**config), b, False),
        KERAS: kind(theirs(**config), b, True),
        OURS: kind(mine(**config), b, True),
    }


@rows.add(
    "multi_head",
    "MaskedMultiHeadAttention(8, 32)",
    "MultiHeadAttention, with the mask",
    shapes=((16, 256, 256), (8, 1024, 256)),
    half=True,
    targets=TARGETS,
)
def multi_head(b: Any) -> dict[str, Contender]:
    config = {"num_heads": 8, "key_dim": 32}
    return three(attending, b, "MultiHeadAttention", **config)


@rows.add(
    "group_query",
    "MaskedGroupQueryAttention(32, 8, 2)",
    "GroupQueryAttention, with the mask",
    shapes=((16, 256, 256),),
    targets=TARGETS,
)
def group_query(b: Any) -> dict[str, Contender]:
    config = {"head_dim": 32, "num_query_heads": 8, "num_key_value_heads": 2}
    return three(attending, b, "GroupQueryAttention", **config)


@rows.add(
    "attention",
    "MaskedAttention",
    "Attention, with the mask",
    shapes=((16, 256, 64),),
)
def attention(b: Any) -> dict[str, Contender]:
    return three(listed, b, "Attention")


@rows.add(
    "additive",
    "MaskedAdditiveAttention",
    "AdditiveAttention, with the mask",
    shapes=((8, 64, 64),),
)
def additive(b: Any) -> dict[str, Contender]:
    return three(listed, b, "AdditiveAttention")
