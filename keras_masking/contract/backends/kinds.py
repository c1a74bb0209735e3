"""What a target may name: a layer, a loss or a metric."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from keras_masking.contract.case import Case
from keras_masking.contract.case import TargetError
from keras_masking.contract.case import as_case
from keras_masking.contract.model_case import ModelCase
from keras_masking.contract.model_run import check_model
from keras_masking.contract.registry import all_checks
from keras_masking.contract.report import Report
from keras_masking.contract.run import select_checks
from keras_masking.contract.runner import check_layer
from keras_masking.contract.runner import check_loss
from keras_masking.contract.runner import check_metric
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
MODEL = Kind("model", keras.Model, ModelCase, "MODEL_CASES")
CASES = (Case, ScoreCase, ModelCase)


def split_kind(target: str) -> tuple[Kind, str]:
    """The kind of a target, and the target without its option.

    Others than layers are written as typed: `--loss=pkg.mod:MyLoss`.
    """
    for kind in (LOSS, METRIC, MODEL):
        option = f"--{kind.name}="
        if target.startswith(option):
            return kind, target.removeprefix(option)
    return LAYER, target


def misfit(found: Any, kind: Kind, target: str, forms: str) -> str:
    """What an object is that is not of `kind`, and what to type instead."""
    is_class = isinstance(found, type)
    for other in (MODEL, LAYER, LOSS, METRIC):
        made = isinstance(found, other.base)
        if made or (is_class and issubclass(found, other.base)):
            option = f"--{other.name} " * (other is not LAYER)
            name = split_kind(target)[1]
            return (
                f"a {other.name}. Write `keras-masking check {option}{name}`."
            )
    what = "another class" if is_class else f"a {type(found).__name__}"
    return f"{what}. {forms}"


def ids_by_kind(
    options: dict[str, Any], cases: list[Any]
) -> dict[str, dict[str, Any]]:
    """The options `only` and `skip` for each kind of case.

    An id may be that of a check of another kind, if there are such cases.

    Raises:
        TargetError: If an id is unknown, or `only` names no check of a kind.
    """
    kinds = list(dict.fromkeys(case.kind for case in cases))
    known = {id for kind in kinds for id in all_checks(kind)}
    by_kind: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        # Unknown ids stay, and are refused.
        others = known - set(all_checks(kind))
        by_kind[kind] = {
            name: options[name]
            and [i for i in options[name] if i not in others]
            for name in ("only", "skip")
        }
        if options["only"] and not by_kind[kind]["only"]:
            raise TargetError(
                f"--only: none of {', '.join(options['only'])} is a check of a "
                f"{kind}. `keras-masking checks` lists them."
            )
    for case in cases:
        kind = case.kind
        select_checks(
            options["level"],
            **by_kind[kind],
            expected=case.expected_failures,
            kind=kind,
        )
    return by_kind


def judge(
    case: Any,
    options: dict[str, Any],
    inputs: Any,
    on_result: Callable[[Any], None],
) -> Report:
    """The report of a case of any kind; some options are for layers alone."""
    kind = case.kind
    if kind == LAYER.name:
        return check_layer(case, inputs=inputs, on_result=on_result, **options)
    how = {name: options[name] for name in ("level", "only", "skip")}
    if kind == MODEL.name:
        return check_model(case, on_result=on_result, **how)
    check = check_loss if kind == LOSS.name else check_metric
    return check(case, on_result=on_result, seed=options["seed"], **how)
