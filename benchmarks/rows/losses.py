"""Losses and metrics."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from benchmarks.row import FLOOR
from benchmarks.row import KERAS
from benchmarks.row import OURS
from benchmarks.row import SMALL
from benchmarks.row import Contender
from benchmarks.row import Rows
from keras_masking import losses
from keras_masking import metrics

WEIGHTED = "the loss, with the mask as sample_weight"
rows = Rows("losses", {"shapes": SMALL})


def pairs(b: Any) -> tuple[Any, ...]:
    return b.classes, b.x, b.mask


def likely(b: Any) -> tuple[Any, ...]:
    return b.other, b.classes, b.mask


def three(
    mine: Any, theirs: Any, inputs: Callable[[Any], tuple[Any, ...]]
) -> dict[str, Contender]:
    return {
        FLOOR: Contender(lambda t, p, m: theirs(t, p), (), inputs),
        KERAS: Contender(
            lambda t, p, m: theirs(t, p, sample_weight=ops.cast(m, p.dtype)),
            (),
            inputs,
        ),
        OURS: Contender(lambda t, p, m: mine(t, p, mask=m), (), inputs),
    }


@rows.add("loss_mse", "MaskedLoss('mse')", WEIGHTED)
def mse(b: Any) -> dict[str, Contender]:
    theirs = keras.losses.MeanSquaredError(dtype=b.dtype)
    return three(losses.MaskedLoss(theirs), theirs, pairs)


@rows.add("loss_crossentropy", "MaskedLoss(crossentropy)", WEIGHTED)
def crossentropy(b: Any) -> dict[str, Contender]:
    theirs = keras.losses.CategoricalCrossentropy(dtype=b.dtype)
    return three(losses.MaskedLoss(theirs), theirs, likely)


def judged(metric: Any, give: str | None) -> Contender:
    """A metric of one batch: reset, updated and read."""

    def call(t: Any, p: Any, m: Any) -> Any:
        metric.reset_state()
        if give is None:
            metric.update_state(t, p)
        elif give == "mask":
            metric.update_state(t, p, mask=m)
        else:
            metric.update_state(t, p, sample_weight=ops.cast(m, p.dtype))
        return metric.result()

    return Contender(call, (), lambda b: (b.classes, b.classes, b.mask))


@rows.add(
    "metric_accuracy",
    "MaskedMetric(CategoricalAccuracy)",
    "the metric, with the mask as sample_weight",
    modes=("predict",),
)
def accuracy(b: Any) -> dict[str, Contender]:
    kind = keras.metrics.CategoricalAccuracy
    return {
        FLOOR: judged(kind(), None),
        KERAS: judged(kind(), "weight"),
        OURS: judged(metrics.MaskedMetric(kind()), "mask"),
    }


@rows.add(
    "metric_loss_per_step",
    "LossPerStep(crossentropy)",
    "the metric, with the mask as sample_weight",
    modes=("predict",),
)
def loss_per_step(b: Any) -> dict[str, Contender]:
    kind = keras.metrics.CategoricalCrossentropy
    mine = metrics.LossPerStep("categorical_crossentropy")
    return {
        FLOOR: judged(kind(), None),
        KERAS: judged(kind(), "weight"),
        OURS: judged(mine, "mask"),
    }
