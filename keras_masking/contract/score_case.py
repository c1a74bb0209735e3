"""A loss or metric to check. The kit calls either of them a score."""

import inspect
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import ClassVar

import keras

from keras_masking._types import Tensor
from keras_masking.contract.case import TargetError
from keras_masking.contract.case import copy_by_config
from keras_masking.contract.case import create


@dataclass(frozen=True)
class ScoreCase:
    """What `LossCase` and `MetricCase` share."""

    score: Any
    name: str = ""
    y_true: Any = None
    y_pred: Any = None
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    script: str = ""

    kind: ClassVar[str] = ""
    base: ClassVar[Any] = None

    def __post_init__(self) -> None:
        if (self.y_true is None) != (self.y_pred is None):
            raise TargetError(
                f"{type(self).__name__} needs both `y_true` and `y_pred`, or "
                "none of them."
            )
        if not self.name:
            object.__setattr__(self, "name", self._find_name())

    def __str__(self) -> str:
        return self.name

    @property
    def of_functions(self) -> bool:
        """Whether the target is a function of `y_true` and `y_pred`."""
        is_made = isinstance(self.score, self.base)
        return not is_made and _takes_two(self.score)

    def make(self) -> Any:
        """Returns a new loss or metric."""
        made = self._make()
        if isinstance(made, self.base):
            self._require_signature(made)
            return made
        raise TargetError(
            f"{self.name} is not a {self.kind}: it returned "
            f"{type(made).__name__}. Pass a {self.kind} class, a function "
            f"that returns a {self.kind}, or a function of y_true and y_pred."
        )

    def _make(self) -> Any:
        score = self.score
        if isinstance(score, self.base):
            return copy_by_config(self.name, score, f"check_{self.kind}")
        if inspect.isclass(score) and not issubclass(score, self.base):
            raise TargetError(
                f"A target must be a {self.kind}. Received: the class "
                f"{score.__name__}, which is not a "
                f"`{_public_name(self.base)}`."
            )
        if not callable(score):
            raise TargetError(
                f"A target must be a {self.kind} class, a function that "
                f"returns a {self.kind}, a function of y_true and y_pred, or a "
                f"{self.kind}. Received: {score!r}."
            )
        if self.of_functions:
            return self._of_function(score)
        return create(self.name, score, f"The{self.kind.title()}(...)")

    def _of_function(self, function: Any) -> Any:
        raise NotImplementedError

    def _require_signature(self, made: Any) -> None:
        """Raises `TargetError` if `made` does not compare two arguments."""

    def _find_name(self) -> str:
        score = self.score
        if isinstance(score, self.base):
            return type(score).__name__
        name = getattr(score, "__name__", type(score).__name__)
        if name != "<lambda>" or self.of_functions:
            return str(name)
        try:
            return type(score()).__name__
        except Exception:
            return self.kind


@dataclass(frozen=True)
class LossCase(ScoreCase):
    """A loss to check.

    Args:
        score: A loss class that needs no arguments, a function without
            arguments that returns a loss, a function of `y_true` and `y_pred`,
            or a loss (it is copied by its config).
        name: The name in reports. Defaults to the name of the class or
            function.
        y_true: Example targets, an array `(batch, steps, ...)`.
        y_pred: Example predictions, an array `(batch, steps, ...)`. Without
            `y_true` and `y_pred` the kit tries floats, classes, one-hot
            targets and 0 and 1, and takes the first that give a number which
            depends on every step.
        expected_failures: Check ids that may fail, each with a reason.
        script: A line of Python that makes the loss, for the scripts that
            reproduce failures.
    """

    kind: ClassVar[str] = "loss"
    base: ClassVar[Any] = keras.losses.Loss

    def _of_function(self, function: Any) -> Any:
        return FunctionLoss(function)


class FunctionLoss(keras.losses.Loss):
    """A function as a loss, as in `compile`."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(name=getattr(function, "__name__", "loss"))
        self.function = function

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return self.function(y_true, y_pred)


@dataclass(frozen=True)
class MetricCase(ScoreCase):
    """A metric to check.

    Args:
        score: A metric class that needs no arguments, a function without
            arguments that returns a metric, a function of `y_true` and
            `y_pred`, or a metric (it is copied by its config).
        name: The name in reports, see `LossCase`.
        y_true: Example targets, see `LossCase`.
        y_pred: Example predictions, see `LossCase`.
        expected_failures: Check ids that may fail, each with a reason.
        script: A line of Python that makes the metric.
    """

    kind: ClassVar[str] = "metric"
    base: ClassVar[Any] = keras.metrics.Metric

    def _of_function(self, function: Any) -> Any:
        return keras.metrics.MeanMetricWrapper(
            function, name=getattr(function, "__name__", "metric")
        )

    def _require_signature(self, made: Any) -> None:
        if not _takes_two(made.update_state, optional=("sample_weight",)):
            raise TargetError(
                f"{self.name}.update_state must take y_true and y_pred. "
                f"Received: update_state"
                f"{inspect.signature(made.update_state)}. A mean of values is "
                "not checked."
            )


def _takes_two(function: Any, optional: tuple[str, ...] = ()) -> bool:
    """Whether a function takes `y_true` and `y_pred`, by position."""
    if inspect.isclass(function):
        return False
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    fixed = [
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        and (not optional or p.name not in optional)
        and (optional or p.default is p.empty)
    ]
    several = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return len(fixed) >= 2 or (several and bool(optional))


def _public_name(base: Any) -> str:
    home = "losses" if base is keras.losses.Loss else "metrics"
    return f"keras.{home}.{base.__name__}"
