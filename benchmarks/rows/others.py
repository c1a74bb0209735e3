"""Losses, metrics, masks; parts of formulas; calls of small tensors."""

from functools import partial
from typing import Any

import numpy as np
from keras import losses
from keras import metrics
from keras import ops

from benchmarks.make import function
from benchmarks.make import layer
from benchmarks.make import op
from benchmarks.make import plain
from benchmarks.make import unmasked
from benchmarks.row import FIVE
from benchmarks.row import SMALL
from benchmarks.row import Contender
from benchmarks.row import Maker
from benchmarks.row import Row
from keras_masking import losses as our_losses
from keras_masking import metrics as our_metrics

MASK = "with the mask"


def judged(text: str, read: str, give: str = "") -> Maker:
    """A loss, or a metric of one batch: reset, updated and read."""
    names = {"losses": losses, "metrics": metrics}
    names |= vars(our_losses) | vars(our_metrics)

    def make(b: Any) -> Contender:
        made = eval(text, names)

        def call(t: Any, p: Any, m: Any) -> Any:
            weights = m if give == "mask" else ops.cast(m, p.dtype)
            given = {give: weights} if give else {}
            if isinstance(made, losses.Loss):
                return made(t, p, **given)
            made.reset_state()
            made.update_state(t, p, **given)
            return made.result()

        return Contender(call, b.read(read))

    return Maker(text, make)


def judge(name: str, read: str, theirs: str, ours: str = "") -> Row:
    """Keras' weighs by the mask."""
    modes = ("predict", "fit") if name.startswith("loss") else ("predict",)
    mine = judged(ours or f"MaskedLoss({theirs})", read, "mask")
    weighed = judged(theirs, read, "sample_weight")
    known = {"shapes": SMALL, "group": "losses", "modes": modes}
    return Row(name, mine, judged(theirs, read), weighed, MASK, **known)


def biased(x: Any, m: Any) -> Any:
    edge = ops.cast(-np.inf, x.dtype)
    return x + ops.where(m, ops.zeros((), x.dtype), edge)[..., None]


def ten_small(x: Any, m: Any) -> Any:
    """What it takes to ask ten questions of the mask."""
    y = ops.cast(m, x.dtype)
    for _ in range(10):
        y = y * 2.0
    return y


def decoded(both: Any, x: Any, mask: Any) -> Any:
    crf, decode = both
    return decode(crf(x, **mask), **mask)


# Why a target can or cannot be met.
PARTS = {
    "a product": lambda x, m: ops.matmul(ops.cast(m, x.dtype)[:, None], x),
    "a copy, scaled": lambda x, m: x * ops.cast(m, x.dtype)[..., None],
    "a copy, selected": lambda x, m: ops.where(
        m[..., None], x, ops.cast(0, x.dtype)
    ),
    "a copy, with a bias": biased,
    "ten operations on the mask": ten_small,
}


def call_of(name: str, text: str, call: str = "single", ours: str = "") -> Row:
    """On PyTorch alone: elsewhere calls are compiled away."""
    mine, read = ours or f"Masked{text}", "carrying mask"
    how = {"call": call, "read": "carrying " * (call == "merged") + read}
    carried = unmasked(mine, **how), unmasked(text, **how)
    explicit = layer(mine, call), layer(text, call)
    # Keras' attention deletes the mask that its inputs carry.
    first, theirs = explicit if call == "attending" else carried
    return Row(
        f"call_{name}",
        first,
        theirs=theirs,
        keras=MASK,
        others={} if call == "attending" else {"ours, explicit": explicit[0]},
        shapes=((8, 16, 8), (64, 32, 16), (1024, 32, 16)),
        group="calls",
        backends=("torch",),
        modes=("predict",),
        nan=False,
    )


def counting(name: str, floor: Any, *args: int) -> Row:
    mine = op(name, *args, of_mask=True)
    return Count(name, mine, function(lambda x, m: floor(m)))


COPY = plain(ops.copy)
LENGTHS = layer(
    "LengthMask()", lambda it, x, n: it([x, *n.values()]), read="x lengths"
)
Masks = partial(Row, group="masks", shapes=SMALL, modes=("predict",))
Count = partial(Masks, nan=False)
Paths = partial(
    Row, group="losses", shapes=((64, 128, 32),), modes=("predict",)
)
CRF = "LinearChainCRF({features})"
TAGGER = f"[{CRF}, ViterbiDecode()]"
ACCURACY, CLASSES = "metrics.CategoricalAccuracy()", "classes classes mask"
PER_STEP = "LossPerStep('categorical_crossentropy')"
CROSSENTROPY = "losses.CategoricalCrossentropy()"
ROWS = (
    judge("loss_mse", "classes x mask", "losses.MeanSquaredError()"),
    judge("loss_crossentropy", "other classes mask", CROSSENTROPY),
    judge("metric_accuracy", CLASSES, ACCURACY, f"MaskedMetric({ACCURACY})"),
    judge(
        "metric_loss_per_step", CLASSES, f"metrics{CROSSENTROPY[6:]}", PER_STEP
    ),
    Paths("crf", layer(CRF), unmasked(CRF)),
    Paths("viterbi", layer(TAGGER, decoded), unmasked(TAGGER, decoded)),
    Masks("attach", layer("AttachMask()"), COPY),
    Masks("apply", layer("ApplyMask()"), COPY),
    Masks("drop", layer("DropMask()"), COPY),
    Masks("require", layer("RequireMask()"), COPY),
    Masks("get", layer("GetMask()"), function(lambda x, m: ops.copy(m))),
    Masks("nan_mask", unmasked("NaNMask()"), plain(ops.nan_to_num)),
    Count("length_mask", LENGTHS, COPY),
    counting("mask_to_lengths", lambda m: ops.sum(ops.cast(m, "int32"), 1)),
    counting("position_ids", lambda m: ops.cumsum(ops.cast(m, "int32"), 1)),
    counting("segment_ids", lambda m: ops.cast(m, "int32")),
    counting("window_mask", lambda m: ops.copy(m[:, :-2:2]), 3, 2),
    counting("transposed_window_mask", lambda m: ops.repeat(m, 2, 1), 3, 2),
    Count(
        "parts",
        op("masked_mean"),
        plain(ops.mean, axis=1),
        group="parts",
        shapes=FIVE,
        others={name: function(call) for name, call in PARTS.items()},
    ),
    call_of("average", "GlobalAveragePooling1D()"),
    call_of("add", "Add()", "merged"),
    call_of("conv", "Conv1D(16, 3, padding='same')"),
    call_of("multi_head", "MultiHeadAttention(2, 8)", "attending"),
    call_of("activation", "Activation('relu')", ours="MyActivation('relu')"),
)
