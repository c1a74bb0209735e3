"""What a target may name: a layer, a loss or a metric."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from keras_masking.contract.case import Case
from keras_masking.contract.case import as_case
from keras_masking.contract.score_case import LossCase
from keras_masking.contract.score_case import MetricCase
from keras_masking.contract.score_case import ScoreCase


@dataclass(frozen=True)
class Kind:
    """A kind of target.

    `base` is the class of such objects, `case` makes a case of one, and
    `listed` is the name of a module's list of cases.
    """

    name: str
    base: Any
    case: Callable[..., Any]
    listed: str


LAYER = Kind("layer", keras.layers.Layer, as_case, "MASK_CASES")
LOSS = Kind("loss", keras.losses.Loss, LossCase, "LOSS_CASES")
METRIC = Kind("metric", keras.metrics.Metric, MetricCase, "METRIC_CASES")
CASES = (Case, ScoreCase)


def split_kind(target: str) -> tuple[Kind, str]:
    """The kind of a target, and the target without its option.

    Losses and metrics are written as typed: `--loss=pkg.mod:MyLoss`.
    """
    for kind in (LOSS, METRIC):
        option = f"--{kind.name}="
        if target.startswith(option):
            return kind, target.removeprefix(option)
    return LAYER, target


def other_kind(found: Any, kind: Kind) -> Kind | None:
    """The kind of an object or class that is not of `kind`."""
    for one in (LAYER, LOSS, METRIC):
        if one is not kind and (
            isinstance(found, one.base)
            or (isinstance(found, type) and issubclass(found, one.base))
        ):
            return one
    return None


def kind_of(case: Any) -> str:
    """`"layer"`, `"loss"` or `"metric"`."""
    return case.kind if isinstance(case, ScoreCase) else LAYER.name
