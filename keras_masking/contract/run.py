"""Runs the checks of one case in order, whatever their results."""

import time
import warnings
from abc import ABC
from abc import abstractmethod
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import keras

from keras_masking._keras import without_tensorflow
from keras_masking.contract.case import TargetError
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.harness.violations import RoundingError
from keras_masking.contract.registry import Check
from keras_masking.contract.registry import all_checks
from keras_masking.contract.registry import check_ids
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result
from keras_masking.names import LEVELS
from keras_masking.versions import versions

# Shapes to try when a check fails; the first that still fails is reported.
SMALLER = ((1, 2, 1), (2, 3, 2))


class Run(ABC):
    """Runs the checks of one case, which share a harness and results.

    Subclasses say how the case is called, and add what a failure names.
    """

    kind: str

    def __init__(self, case: Any) -> None:
        self.case = case
        with _quietly():
            self.harness = self.new_harness()
        self.report = Report(
            case.name,
            *self.role(),
            keras.backend.backend(),
            versions(),
            examples=self.examples(),
        )
        self.status: dict[str, str] = {}
        self._rounding: set[str] = set()  # ids of checks that failed by it
        self._small: dict[tuple[int, int, int], Any] = {}

    def run_all(
        self,
        *,
        level: str,
        only: Iterable[str] | None,
        skip: Iterable[str] | None,
        expected_failures: Mapping[str, str] | None,
        on_result: Callable[[Result], None] | None,
    ) -> Report:
        """The report of all checks that are chosen."""
        own = self.case.expected_failures
        expected = {**own, **(expected_failures or {})}
        chosen = select_checks(level, only, skip, expected, self.kind)
        for check in all_checks(self.kind).values():
            if check.id not in chosen:
                continue
            if skip and check.id in skip:
                result = self.result(check, "n/a", reason="skipped on request")
            else:
                result = self(check, expected.get(check.id))
            if on_result is not None:
                on_result(result)
            self.report.results.append(result)
        return self.report

    def __call__(self, check: Check, reason: str | None = None) -> Result:
        start = time.perf_counter()
        with _quietly():
            result = self._judge(check)
        if reason is not None and result.status in ("fail", "pass"):
            result.status = "x" + result.status
            result.reason = reason
        elif reason is not None:
            result.reason += f" (expected to fail: {reason})"
        result.seconds = round(time.perf_counter() - start, 4)
        self.status[check.id] = result.status
        return result

    def _judge(self, check: Check) -> Result:
        not_for = self.not_for(check)
        if not_for:
            return self.result(check, "n/a", reason=not_for)
        for before in check.after:
            if self._blocks(before):
                return self._blocked(check, before)
        violation = _violation(check, self.harness)
        if violation is None:
            return self.result(check, "pass")
        before = getattr(violation, "blocked_by", "")
        if before and self._blocks(before):
            return self._blocked(check, before)
        if isinstance(violation, NotApplicable):
            return self.result(check, "n/a", reason=str(violation))
        if not isinstance(violation, ContractViolation):
            text = f"{type(violation).__name__}: {violation}"
            return self.result(check, "kit-error", seen=text)
        if isinstance(violation, RoundingError):
            self._rounding.add(check.id)
        return self._describe_failure(check, violation)

    def _blocks(self, name: str) -> bool:
        """Whether a check did not pass; it runs if it has not run before."""
        if name not in self.status:
            before = all_checks(self.kind)[name]
            self.status[name] = self._judge(before).status
        passed = self.status[name] in ("pass", "n/a", "xpass")
        return not passed and name not in self._rounding

    def _blocked(self, check: Check, before: str) -> Result:
        return self.result(check, "blocked", reason=f"{before} did not pass")

    def _describe_failure(
        self, check: Check, violation: ContractViolation
    ) -> Result:
        """The result of a failure, with the smallest inputs that show it."""
        harness = self.harness
        for shape in SMALLER:
            if not self.fits(shape):
                continue
            try:
                if shape not in self._small:
                    self._small[shape] = self.new_harness(shape)
                small = self._small[shape]
                if not self.shows_the_same(small):
                    continue
                error = _violation(check, small)
            except Exception:
                continue
            if (
                type(error) is type(violation)
                and isinstance(error, ContractViolation)
                and error.blocked_by == violation.blocked_by
            ):
                harness, violation = small, error
                break
        check = replace(
            check,
            cause=violation.cause or check.cause,
            right=violation.right or check.right,
        )
        texts = {"cause": check.cause, "right": check.right}
        texts |= self.describe(check, harness)
        places = (violation.where, texts.pop("where", ""))
        return self.result(
            check,
            "fail",
            seen=violation.seen,
            where="; ".join(place for place in places if place),
            **texts,
        )

    def result(self, check: Check, status: str, **texts: Any) -> Result:
        return Result(
            self.case.name,
            check.id,
            check.level,
            status,
            statement=check.statement,
            **texts,
        )

    @abstractmethod
    def new_harness(self, shape: tuple[int, int, int] | None = None) -> Any:
        """A harness for inputs of that shape, by default the example."""

    @abstractmethod
    def fits(self, shape: tuple[int, int, int]) -> bool:
        """Whether the example has at least these rows and steps."""

    @abstractmethod
    def shows_the_same(self, small: Any) -> bool:
        """Whether a smaller harness is not too small."""

    @abstractmethod
    def describe(self, check: Check, harness: Any) -> dict[str, str]:
        """The texts of a failure besides those of the check."""

    def role(self) -> tuple[str, bool]:
        """The role in the report, and whether it was inferred."""
        return self.kind, False

    def examples(self) -> str:
        """With what it was checked, if the kit chose that."""
        return ""

    def not_for(self, check: Check) -> str:
        """Why the check does not apply, or ''."""
        return ""


@contextmanager
def _quietly() -> Iterator[None]:
    """Without warnings, and without an import of TensorFlow to seed it."""
    with warnings.catch_warnings(action="ignore"), without_tensorflow():
        yield


def _violation(check: Check, harness: Any) -> Exception | None:
    try:
        check.run(harness)
    except Exception as error:
        return error
    return None


def select_checks(
    level: str,
    only: Iterable[str] | None,
    skip: Iterable[str] | None,
    expected: Mapping[str, str],
    kind: str = "layer",
) -> set[str]:
    """The ids of the checks to run, including those that they depend on."""
    if level not in LEVELS:
        raise TargetError(
            f"`level` must be one of {', '.join(LEVELS)}. Received: {level!r}."
        )
    checks = all_checks(kind)
    check_ids(only or (), "`only`", kind)
    check_ids(skip or (), "`skip`", kind)
    check_ids(expected, "an expected failure", kind)
    for name, reason in expected.items():
        if not str(reason or "").strip():
            raise TargetError(
                f"The expected failure {name!r} needs a reason: say why it "
                "may fail, with a link if there is one."
            )
    least = LEVELS.index(level)
    chosen = {c.id for c in checks.values() if LEVELS.index(c.level) <= least}
    if only is not None:
        chosen = set()
        wanted = list(only)
        while wanted:
            name = wanted.pop()
            if name not in chosen:
                chosen.add(name)
                wanted += checks[name].after
    unmatched = set(expected) - chosen
    if unmatched and only is None:
        name = sorted(unmatched)[0]
        raise TargetError(
            f"The expected failure {name!r} matches no check that runs: "
            f"`level={level!r}` leaves it out."
        )
    return chosen
