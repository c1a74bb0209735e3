"""Reductions, windows, convolution, recurrence, attention, order."""

from functools import partial
from typing import Any

from keras import ops

from benchmarks.make import drop_in
from benchmarks.make import function
from benchmarks.make import layer
from benchmarks.make import op
from benchmarks.make import plain
from benchmarks.make import unmasked
from benchmarks.row import FIVE
from benchmarks.row import HEADLINE
from benchmarks.row import SMALL
from benchmarks.row import Row

NONE, MASK, IGNORES = "none", "with the mask", "ignores the mask"
TWICE = {"": 0.5, "jax 64x512x256": 0.2, "torch 64x512x256": 0.2}
SUMS = {"floor": {"": 1.3}}
FAST = {**SUMS, "keras": TWICE}
EXTREME = {"floor": {"": 2.0, "torch": 2.5}}
SOFTMAX = {"floor": {"": 1.3, "torch": 1.5}, "keras": {"": 1.0, "fit": 1.0}}
NEAR, NEARER = {"floor": {"": 1.2}}, {"floor": {"": 1.15}}
HALF_MORE, LIKE_KERAS = {"floor": {"": 1.5}}, {"keras": {"": 1.1}}
GATED = {
    "floor": {"": 1.1, "torch": 1.25},
    "keras": {"": 1.1, "torch": 0.3},  # its loop, which has no kernel
}
TRIED = ((32, 64, 64),)
LONG = ((32, 128, 64), (64, 512, 64))
SHORT, CROSSED = ((16, 512, 128),), ((16, 256, 256), (8, 1024, 256))
WIDE = ((256, 64, 128), (12, 512, 256))
MANY = {"shapes": FIVE, "closely": True}

One = partial(Row, group="reductions")
Five = partial(One, **MANY, paddings=(0.1, 0.9))
Window = partial(drop_in, keras=IGNORES, group="pooling", targets=HALF_MORE)
Sum = partial(Row, group="pooling")
Mixing = partial(drop_in, keras=IGNORES, group="mixing", targets=NEAR)
Attention = partial(drop_in, keras=MASK, group="attention")
Itself = partial(Attention, call="itself")
Order = partial(Row, group="order", shapes=SMALL)
Same = partial(drop_in, keras=IGNORES, group="order", shapes=SMALL)
Blind = partial(Same, keras="takes no mask")
Merging = partial(Blind, call="merged")


Stack = partial(Row, keras=IGNORES, group="mixing", targets=NEAR, shapes=SHORT)
Recurrent = partial(drop_in, keras=MASK, group="mixing", targets=GATED)


def pool(kind: str) -> Any:
    return layer(f"MaskedGlobal{kind}Pooling1D()")


def along(function: Any) -> Any:
    return plain(function, axis=1)


def mean_and_std(x: Any) -> Any:
    return ops.concatenate([ops.mean(x, axis=1), ops.std(x, axis=1)], -1)


def position_mean(x: Any) -> Any:
    place = ops.arange(1, x.shape[1] + 1, dtype=x.dtype)[:, None]
    return ops.sum(x * (place / ops.sum(place)), axis=1)


def window_sum(x: Any) -> Any:
    return 2 * ops.average_pool(x, 2, 2, "valid", "channels_last")


def spread(layer: Any, x: Any, given: Any) -> Any:
    """Softmax of Keras' takes a mask of the shape of its input."""
    return layer(x, mask=ops.broadcast_to(given["mask"][..., None], x.shape))


def chain(layers: Any, x: Any, mask: Any) -> Any:
    """After the first, ours carry the mask on."""
    first, second, third = layers
    return third(second(first(x, **mask)))


def table(layer: Any, x: Any, mask: Any) -> Any:
    """Of the size of the positions, read without a mask."""
    if not layer.built:
        layer.build(x.shape)
    return ops.broadcast_to(layer.position_embeddings[None], x.shape)


def repeat(layer: Any, x: Any, mask: Any) -> Any:
    return layer([x[:, 0], x], **mask)


def repeat_first(layer: Any, x: Any, mask: Any) -> Any:
    return layer(x[:, 0])


COPY = plain(ops.copy)
REPEAT = layer("RepeatVectorLike()", repeat)
REPEAT_KERAS = unmasked("RepeatVector({steps})", repeat_first)
SQRTN = plain(lambda x: ops.sum(x, axis=1) / x.shape[1] ** 0.5)
JOIN = function(lambda x, y, m: ops.concatenate([x, y], 1), "", "x other mask")
THREE = "[{}(64, 3, padding='same', activation='relu') for _ in '123']".format
MINE, THEIRS = (
    layer(THREE("MaskedConv1D"), chain),
    unmasked(THREE("Conv1D"), chain),
)
RECURRENT_128 = "{}(128, return_sequences=True)".format
LSTM, GRU = RECURRENT_128("LSTM"), RECURRENT_128("GRU")
RNN = RECURRENT_128("SimpleRNN")
PLACES, IDS = "MaskedPositionEmbedding({steps})", {"read": "ids mask"}
LOOK_UP = "Embedding({ids}, {features}, mask_zero=True)"
# Keras has no layer for most reductions: its average is there for scale.
GAP = layer("GlobalAveragePooling1D()")
MAX = unmasked("GlobalMaxPooling1D()")
SOFT = layer("Softmax(axis=1)", spread)
TEMPORAL, HERE = layer("TemporalSoftmax()"), {"shapes": (HEADLINE,)}
ATTENTIVE, SINES = "AttentionPooling1D()", "MaskedSinePositionEncoding()"
HEADS = {"call": "attending", "targets": NEARER, "shapes": CROSSED}
GROUPS = {**HEADS, "shapes": CROSSED[:1]}
NORM = {"targets": HALF_MORE, "shapes": FIVE[:3:2], "closely": True}
ROWS = (
    Five("mean", pool("Average"), along(ops.mean), GAP, MASK, FAST),
    Five("sum", pool("Sum"), along(ops.sum), GAP, NONE, SUMS),
    Five("variance", op("masked_variance"), along(ops.var), GAP, NONE, SUMS),
    One("std", op("masked_std"), along(ops.std), GAP, paddings=(0.1, 0.9)),
    One("moments", op("masked_moments"), plain(ops.moments, axes=1), GAP),
    One("statistics", layer("StatisticsPooling1D()"), plain(mean_and_std), GAP),
    One("sqrtn", op("masked_sqrtn"), SQRTN, GAP),
    One("position_mean", op("masked_position_mean"), plain(position_mean), GAP),
    Five("max", pool("Max"), along(ops.max), MAX, IGNORES, EXTREME),
    Five("min", pool("Min"), along(ops.min), targets=EXTREME),
    Five("softmax", TEMPORAL, along(ops.softmax), SOFT, MASK, SOFTMAX),
    Five("logsumexp", op("masked_logsumexp"), along(ops.logsumexp), **HERE),
    One("first", layer("FirstStep()"), plain(lambda x: x[:, 0])),
    One("last", layer("LastStep()"), plain(lambda x: x[:, -1])),
    One("attention_pooling", layer(ATTENTIVE), unmasked(ATTENTIVE), GAP),
    Window("average_2", "AveragePooling1D(2)", **MANY),
    Window("average_4", "AveragePooling1D(4)"),
    Window("average_3_1", "AveragePooling1D(3, 1, 'same')"),
    Window("max_2", "MaxPooling1D(2)", **MANY),
    Window("max_4", "MaxPooling1D(4)"),
    Window("max_3_1", "MaxPooling1D(3, 1, 'same')"),
    Sum("window_sum", op("window_sum", 2, 2), plain(window_sum)),
    Mixing("conv_64", "Conv1D(64, 3, padding='same')", **MANY),
    Mixing("conv_256", "Conv1D(256, 3, padding='same')", shapes=WIDE),
    Stack("conv_stack", MINE, THEIRS),
    Mixing("depthwise", "DepthwiseConv1D(3, padding='same')", shapes=SHORT),
    Mixing("separable", "SeparableConv1D(64, 3, padding='same')", shapes=SHORT),
    Mixing("transposed", "Conv1DTranspose(64, 3, 2, 'same')", shapes=SHORT),
    Mixing("group_norm", "GroupNormalization(8)", **NORM),
    Recurrent("lstm", LSTM, shapes=LONG),
    Recurrent("gru", GRU, shapes=LONG),
    Recurrent("simple_rnn", RNN, targets=LIKE_KERAS, shapes=TRIED),
    Recurrent("both", f"Bidirectional({GRU})", shapes=TRIED),
    Recurrent(
        "kept",
        RNN,
        ours=f"KeepMask({RNN})",
        targets=LIKE_KERAS,
        shapes=TRIED,
    ),
    Attention("multi_head", "MultiHeadAttention(8, 32)", **HEADS, closely=True),
    Attention("group_query", "GroupQueryAttention(32, 8, 2)", **GROUPS),
    Itself("attention", "Attention()", shapes=((16, 256, 64),)),
    Itself("additive", "AdditiveAttention()", shapes=((8, 64, 64),)),
    Merging("add", "Add()"),
    Merging("multiply", "Multiply()"),
    Merging("concatenate", "Concatenate()"),
    Order("pack", layer("TemporalConcatenate()", "merged"), JOIN),
    Order("reverse", layer("TemporalReverse()"), along(ops.flip)),
    Order("repeat_vector", REPEAT, REPEAT_KERAS),
    Order("compact", layer("CompactSteps()"), COPY),
    Order("split", layer("TemporalSplit(2)"), plain(ops.split, 2, axis=1)),
    Same("cropping", "Cropping1D(1)"),
    Same("zero_padding", "ZeroPadding1D(1)"),
    Same("up_sampling", "UpSampling1D(2)"),
    Same("time_distributed", "TimeDistributed(Dense(64))", keras=MASK),
    Order(
        "embedding",
        unmasked(f"Custom{LOOK_UP}", **IDS),
        unmasked("Embedding({ids}, {features})", **IDS),
        unmasked(LOOK_UP, **IDS),
        MASK,
        nan=False,
    ),
    Order("positions", layer(PLACES), unmasked(PLACES, table)),
    Order("sines", layer(SINES), unmasked(SINES), modes=("predict",)),
    Order("zero", op("apply_mask"), COPY),
    Blind("activation", "Activation('relu')", ours="MyActivation('relu')"),
)
