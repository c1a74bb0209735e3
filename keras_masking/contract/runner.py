"""Checks a layer, a loss or a metric: the functions that users call."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from keras_masking.contract.case import Case
from keras_masking.contract.case import as_case
from keras_masking.contract.case import with_options
from keras_masking.contract.layer_run import LayerRun
from keras_masking.contract.model_case import ModelCase
from keras_masking.contract.model_run import ModelRun
from keras_masking.contract.registry import Check
from keras_masking.contract.registry import all_checks
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result
from keras_masking.contract.run import Run
from keras_masking.contract.run import select_checks
from keras_masking.contract.score_case import LossCase
from keras_masking.contract.score_case import MetricCase
from keras_masking.contract.score_case import ScoreCase
from keras_masking.contract.score_run import ScoreRun


def check_layer(
    layer_or_factory: Any,
    *,
    role: str | None = None,
    inputs: Any = None,
    call_kwargs: Mapping[str, Any] | None = None,
    only: Iterable[str] | None = None,
    skip: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    level: str = "advised",
    seed: int = 0,
    torch_compile: bool = False,
    on_result: Callable[[Result], None] | None = None,
) -> Report:
    """Checks a layer against the mask contract on the current backend.

    Args:
        layer_or_factory: A layer class that needs no arguments, a function that
            returns a layer, a layer, or a `Case`.
        role: What the layer does with a mask, see `Case`. Inferred if not
            given.
        inputs: An example input, see `Case`. Defaults to floats `(3, 6, 4)`.
        call_kwargs: Further arguments of each call, see `Case`.
        only: Ids of the checks to run; the checks that they depend on run as
            well. Defaults to all checks of the level.
        skip: Ids of checks not to run; they are reported as n/a.
        expected_failures: Ids that may fail, each with a reason. One that
            passes counts as a failure: its reason no longer holds.
        level: The lowest level to run: `"required"`, `"advised"` or
            `"information"`. Defaults to `"advised"`.
        seed: Seed of weights and inputs.
        torch_compile: Whether to run `jit` on PyTorch, where compiling takes
            seconds.
        on_result: Called with each result as soon as it is known.

    Returns:
        A `Report`. To raise if a check failed, call its `raise_for_failures`.

    Raises:
        TargetError: If there is no layer to check, an id is unknown, or an
            expected failure has no reason.

    Example:

    >>> from keras_masking.contract import check_layer
    >>> report = check_layer(keras.layers.ReLU, only=["pad-value"])
    >>> print(report.summary().split(";")[0].split(": ")[1])
    2 pass
    """
    case = with_options(
        Case,
        as_case(layer_or_factory),
        role=role,
        inputs=inputs,
        call_kwargs=call_kwargs,
    )
    run = LayerRun(case, seed=seed, torch_compile=torch_compile)
    return run.run_all(
        level=level,
        only=only,
        skip=skip,
        expected_failures=expected_failures,
        on_result=on_result,
    )


def check_loss(
    loss_or_factory: Any,
    *,
    y_true: Any = None,
    y_pred: Any = None,
    only: Iterable[str] | None = None,
    skip: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    level: str = "advised",
    seed: int = 0,
    on_result: Callable[[Result], None] | None = None,
) -> Report:
    """Checks that padding adds nothing to a loss, on the current backend.

    The predictions carry the mask, as those of a model do.

    Args:
        loss_or_factory: A loss class that needs no arguments, a function
            without arguments that returns a loss, a function of `y_true` and
            `y_pred`, a loss, or a `LossCase`.
        y_true: Example targets, `(batch, steps, ...)`, see `LossCase`.
        y_pred: Example predictions, `(batch, steps, ...)`.
        only: Ids of the checks to run, see `check_layer`.
        skip: Ids of checks not to run; they are reported as n/a.
        expected_failures: Ids that may fail, each with a reason.
        level: The lowest level to run, see `check_layer`.
        seed: Seed of the examples.
        on_result: Called with each result as soon as it is known.

    Returns:
        A `Report`. To raise if a check failed, call its `raise_for_failures`.

    Raises:
        TargetError: If there is no loss to check, an id is unknown, or an
            expected failure has no reason.

    Example:

    >>> from keras_masking.contract import check_loss
    >>> loss = keras_masking.losses.MaskedLoss("mse")
    >>> print(check_loss(loss, only=["loss-nan-targets"]).ok)
    True
    """
    given = {"y_true": y_true, "y_pred": y_pred}
    case = with_options(LossCase, loss_or_factory, **given)
    return ScoreRun(case, seed).run_all(
        level=level,
        only=only,
        skip=skip,
        expected_failures=expected_failures,
        on_result=on_result,
    )


def check_metric(
    metric_or_factory: Any,
    *,
    y_true: Any = None,
    y_pred: Any = None,
    only: Iterable[str] | None = None,
    skip: Iterable[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    level: str = "advised",
    seed: int = 0,
    on_result: Callable[[Result], None] | None = None,
) -> Report:
    """Checks that padding adds nothing to a metric, on the current backend.

    The predictions carry the mask, as those of a model in `evaluate` do.

    Args:
        metric_or_factory: A metric class that needs no arguments, a function
            without arguments that returns a metric, a function of `y_true` and
            `y_pred`, a metric, or a `MetricCase`.
        y_true: Example targets, `(batch, steps, ...)`, see `LossCase`.
        y_pred: Example predictions, `(batch, steps, ...)`.
        only: Ids of the checks to run, see `check_layer`.
        skip: Ids of checks not to run; they are reported as n/a.
        expected_failures: Ids that may fail, each with a reason.
        level: The lowest level to run, see `check_layer`.
        seed: Seed of the examples.
        on_result: Called with each result as soon as it is known.

    Returns:
        A `Report`. To raise if a check failed, call its `raise_for_failures`.

    Raises:
        TargetError: If there is no metric to check, it does not compare
            `y_true` with `y_pred`, an id is unknown, or an expected failure
            has no reason.

    Example:

    >>> from keras_masking.contract import check_metric
    >>> report = check_metric(keras.metrics.Precision)
    >>> print(report.failures[0].check)
    metric-pad-value
    """
    case = with_options(
        MetricCase, metric_or_factory, y_true=y_true, y_pred=y_pred
    )
    return ScoreRun(case, seed).run_all(
        level=level,
        only=only,
        skip=skip,
        expected_failures=expected_failures,
        on_result=on_result,
    )


def iter_checks(
    case: Any, level: str = "advised", **options: Any
) -> Iterator[tuple[Any, Check, Callable[[], Result]]]:
    """Yields each check of a case with a function that runs it.

    The functions share what they check, so run them in order.
    """
    if not isinstance(case, ScoreCase | ModelCase):
        case = as_case(case)
    kind = case.kind
    chosen = select_checks(level, None, None, case.expected_failures, kind)
    run: list[Run] = []

    def runner(check: Check) -> Callable[[], Result]:
        def go() -> Result:
            if not run:
                run.append(_run_of(case, **options))
            return run[0](check, case.expected_failures.get(check.id))

        return go

    for check in all_checks(kind).values():
        if check.id in chosen:
            yield case, check, runner(check)


def _run_of(case: Any, seed: int = 0, torch_compile: bool = False) -> Run:
    """The run of a case of any kind; layers alone have all options."""
    if isinstance(case, ModelCase):
        return ModelRun(case)
    if isinstance(case, ScoreCase):
        return ScoreRun(case, seed)
    return LayerRun(case, seed, torch_compile)
