"""Steps become one: sums, means, moments, extremes, softmax."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from benchmarks.row import DEFAULT
from benchmarks.row import FIVE
from benchmarks.row import FLOOR
from benchmarks.row import KERAS
from benchmarks.row import OURS
from benchmarks.row import Contender
from benchmarks.row import Rows
from benchmarks.row import Target
from benchmarks.row import at_most
from benchmarks.row import times_faster
from keras_masking import layers
from keras_masking import ops as ours

rows = Rows("reductions", {"paddings": (0.1, 0.9)})
FAST = at_most(1.3)
FASTER = times_faster(2, torch_at_64x512x256=5, jax_at_64x512x256=5)
NEAREST = "none; GlobalAveragePooling1D with the mask, for scale"
AHEAD = Target(KERAS, {DEFAULT: 1.0}, slack=1.0)  # in training too
GAP = "GlobalAveragePooling1D, with the mask"


def masked(layer: Any) -> Contender:
    """A layer that is handed the mask."""
    return Contender(lambda x, m: layer(x, mask=m), [layer])


def plain(function: Callable[[Any], Any], *inside: Any) -> Contender:
    """A layer or a function of the batch that gets no mask."""
    return Contender(lambda x, m: function(x), inside)


def unmasked(layer: Any) -> Contender:
    return plain(layer, layer)


def op(function: Callable[..., Any]) -> Contender:
    return Contender(lambda x, m: function(x, m))


def gap(b: Any) -> Contender:
    return masked(keras.layers.GlobalAveragePooling1D(dtype=b.dtype))


@rows.add(
    "mean",
    "MaskedGlobalAveragePooling1D",
    GAP,
    shapes=FIVE,
    half=True,
    targets=(FAST, FASTER),
)
def mean(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.mean(x, axis=1)),
        KERAS: gap(b),
        OURS: masked(layers.MaskedGlobalAveragePooling1D(dtype=b.dtype)),
        "ours, the op": op(ours.masked_mean),
    }


@rows.add(
    "sum",
    "MaskedGlobalSumPooling1D",
    NEAREST,
    shapes=FIVE,
    half=True,
    targets=(FAST, FASTER),
)
def total(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.sum(x, axis=1)),
        KERAS: gap(b),
        OURS: masked(layers.MaskedGlobalSumPooling1D(dtype=b.dtype)),
    }


@rows.add(
    "variance",
    "masked_variance",
    NEAREST,
    shapes=FIVE,
    half=True,
    targets=(FAST, FASTER),
)
def variance(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.var(x, axis=1)),
        KERAS: gap(b),
        OURS: op(ours.masked_variance),
    }


@rows.add("std", "masked_std", NEAREST)
def deviation(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.std(x, axis=1)),
        KERAS: gap(b),
        OURS: op(ours.masked_std),
    }


@rows.add("moments", "masked_moments", NEAREST, paddings=())
def moments(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.moments(x, axes=1)),
        KERAS: gap(b),
        OURS: op(ours.masked_moments),
    }


@rows.add("statistics", "StatisticsPooling1D", NEAREST, paddings=())
def statistics(b: Any) -> dict[str, Contender]:
    def floor(x: Any) -> Any:
        return ops.concatenate([ops.mean(x, axis=1), ops.std(x, axis=1)], -1)

    return {
        FLOOR: plain(floor),
        KERAS: gap(b),
        OURS: masked(layers.StatisticsPooling1D(dtype=b.dtype)),
    }


@rows.add("sqrtn", "masked_sqrtn", NEAREST, paddings=())
def sqrtn(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.sum(x, axis=1) / x.shape[1] ** 0.5),
        KERAS: gap(b),
        OURS: op(ours.masked_sqrtn),
    }


@rows.add("position_mean", "masked_position_mean", NEAREST, paddings=())
def position_mean(b: Any) -> dict[str, Contender]:
    def floor(x: Any) -> Any:
        place = ops.arange(1, x.shape[1] + 1, dtype=x.dtype)[:, None]
        return ops.sum(x * (place / ops.sum(place)), axis=1)

    return {
        FLOOR: plain(floor),
        KERAS: gap(b),
        OURS: op(ours.masked_position_mean),
    }


@rows.add(
    "max",
    "MaskedGlobalMaxPooling1D",
    "GlobalMaxPooling1D, which ignores the mask",
    shapes=FIVE,
    half=True,
    targets=(at_most(2, torch=2.5),),
)
def largest(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.max(x, axis=1)),
        KERAS: unmasked(keras.layers.GlobalMaxPooling1D(dtype=b.dtype)),
        OURS: masked(layers.MaskedGlobalMaxPooling1D(dtype=b.dtype)),
    }


@rows.add(
    "min",
    "MaskedGlobalMinPooling1D",
    "none",
    shapes=FIVE,
    half=True,
    targets=(at_most(2, torch=2.5),),
)
def smallest(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.min(x, axis=1)),
        OURS: masked(layers.MaskedGlobalMinPooling1D(dtype=b.dtype)),
    }


@rows.add(
    "softmax",
    "TemporalSoftmax",
    "Softmax(axis=1), with the mask spread over the features",
    shapes=FIVE,
    half=True,
    targets=(at_most(1.3, torch=1.5), AHEAD),
)
def softmax(b: Any) -> dict[str, Contender]:
    theirs = keras.layers.Softmax(axis=1, dtype=b.dtype)

    def spread(x: Any, m: Any) -> Any:
        return theirs(x, mask=ops.broadcast_to(m[..., None], ops.shape(x)))

    return {
        FLOOR: plain(lambda x: ops.softmax(x, axis=1)),
        KERAS: Contender(spread, [theirs]),
        OURS: masked(layers.TemporalSoftmax(dtype=b.dtype)),
    }


@rows.add("logsumexp", "masked_logsumexp", "none", half=True)
def logsumexp(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.logsumexp(x, axis=1)),
        OURS: op(ours.masked_logsumexp),
    }


@rows.add("first", "FirstStep", "none", paddings=())
def first(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: x[:, 0]),
        OURS: masked(layers.FirstStep(dtype=b.dtype)),
    }


@rows.add("last", "LastStep", "none", paddings=())
def last(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: x[:, -1]),
        OURS: masked(layers.LastStep(dtype=b.dtype)),
    }


@rows.add("attention_pooling", "AttentionPooling1D", NEAREST, paddings=())
def attention_pooling(b: Any) -> dict[str, Contender]:
    theirs = layers.AttentionPooling1D(dtype=b.dtype)
    return {
        FLOOR: unmasked(theirs),
        KERAS: gap(b),
        OURS: masked(layers.AttentionPooling1D(dtype=b.dtype)),
    }
