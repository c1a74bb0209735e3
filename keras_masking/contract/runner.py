"""Runs all checks of a case in order, whatever their results."""

import time
import warnings
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras

from keras_masking.contract.case import Case
from keras_masking.contract.case import TargetError
from keras_masking.contract.case import as_case
from keras_masking.contract.harness import mask_argument
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.reproduce import script
from keras_masking.contract.harness.roles import infer_role
from keras_masking.contract.harness.violations import CallFailed
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
    if isinstance(layer_or_factory, Case):
        given = {"role": role, "inputs": inputs, "call_kwargs": call_kwargs}
        case = replace(
            layer_or_factory,
            **{k: v for k, v in given.items() if v is not None},
        )
    else:
        case = as_case(
            layer_or_factory,
            role=role,
            inputs=inputs,
            call_kwargs=call_kwargs or {},
        )
    expected = {**case.expected_failures, **(expected_failures or {})}
    run = Run(case, seed=seed, torch_compile=torch_compile)
    chosen = select_checks(level, only, skip, expected)
    for check in all_checks().values():
        if check.id not in chosen:
            continue
        if skip and check.id in skip:
            result = run.result(check, "n/a", reason="skipped on request")
        else:
            result = run(check, expected.get(check.id))
        if on_result is not None:
            on_result(result)
        run.report.results.append(result)
    return run.report


def select_checks(
    level: str,
    only: Iterable[str] | None,
    skip: Iterable[str] | None,
    expected: Mapping[str, str],
) -> set[str]:
    """The ids of the checks to run, including those that they depend on."""
    if level not in LEVELS:
        raise TargetError(
            f"`level` must be one of {', '.join(LEVELS)}. Received: {level!r}."
        )
    checks = all_checks()
    check_ids(only or (), "`only`")
    check_ids(skip or (), "`skip`")
    check_ids(expected, "an expected failure")
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


def iter_checks(
    case: Any, level: str = "advised", **options: Any
) -> Iterator[tuple[Case, Check, Callable[[], Result]]]:
    """Yields each check of a case with a function that runs it.

    The functions share one layer, so run them in order.
    """
    case = as_case(case)
    chosen = select_checks(level, None, None, case.expected_failures)
    run: list[Run] = []

    def runner(check: Check) -> Callable[[], Result]:
        def go() -> Result:
            if not run:
                run.append(Run(case, **options))
            return run[0](check, case.expected_failures.get(check.id))

        return go

    for check in all_checks().values():
        if check.id in chosen:
            yield case, check, runner(check)


class Run:
    """Runs the checks of one case, which share a layer and earlier results."""

    def __init__(
        self, case: Case, seed: int = 0, torch_compile: bool = False
    ) -> None:
        self.case = case
        self.seed = seed
        self.torch_compile = torch_compile
        self.status: dict[str, str] = {}
        self._rounding: set[str] = set()  # ids of checks that failed by it
        self._small: dict[tuple[int, int, int], LayerHarness] = {}
        # Raises at once if the target is not a layer.
        mask_argument.check_name(case, case.make())
        with warnings.catch_warnings(action="ignore"):
            self.harness = self._new_harness()
        self.report = Report(
            case.name,
            self.harness.role,
            case.role is None,
            keras.backend.backend(),
            versions(),
        )

    def _new_harness(
        self, shape: tuple[int, int, int] | None = None
    ) -> LayerHarness:
        harness = LayerHarness(self.case, shape, self.seed)
        harness.torch_compile = self.torch_compile
        try:
            harness.role = self.case.role or infer_role(harness)
        except CallFailed:
            # `runs-with-mask` reports it.
            harness.role = self.case.role or "unknown"
        return harness

    def __call__(self, check: Check, reason: str | None = None) -> Result:
        start = time.perf_counter()
        with warnings.catch_warnings(action="ignore"):
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
        role = self.harness.role
        if role != "unknown" and role not in check.roles:
            return self.result(
                check, "n/a", reason=f"not for a layer that {role}"
            )
        for before in check.after:
            if self._blocks(before):
                return self._blocked(check, before)
        violation = self._run(check, self.harness)
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
            self.status[name] = self._judge(all_checks()[name]).status
        passed = self.status[name] in ("pass", "n/a", "xpass")
        return not passed and name not in self._rounding

    def _blocked(self, check: Check, before: str) -> Result:
        return self.result(check, "blocked", reason=f"{before} did not pass")

    def _run(self, check: Check, harness: LayerHarness) -> Exception | None:
        try:
            check.run(harness)
        except Exception as error:
            return error
        return None

    def _describe_failure(
        self, check: Check, violation: ContractViolation
    ) -> Result:
        """The result of a failure, with the smallest inputs that show it."""
        harness = self.harness
        for shape in SMALLER:
            if not _fits(harness, shape):
                continue
            try:
                if shape not in self._small:
                    self._small[shape] = self._new_harness(shape)
                small = self._small[shape]
                if small.role != harness.role:
                    continue  # too small to show what the layer does
                error = self._run(check, small)
            except Exception:
                continue
            if (
                type(error) is type(violation)
                and isinstance(error, ContractViolation)
                and error.blocked_by == violation.blocked_by
            ):
                harness, violation = small, error
                break
        got = self.harness.received()
        answer = "not called" if got is None else "yes" if got else "no"
        where = f"call received the mask: {answer}"
        return self.result(
            check,
            "fail",
            seen=violation.seen,
            where="; ".join(p for p in (violation.where, where) if p),
            cause=harness.hint() + (violation.cause or check.cause),
            right=violation.right or check.right,
            smallest="inputs "
            + " and ".join(str(x.shape) for x in harness.batch.leaves),
            script=script(self.case, harness, check.id),
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


def _fits(harness: LayerHarness, shape: tuple[int, int, int]) -> bool:
    leaves = harness.batch.leaves
    return all(a <= b for leaf in leaves for a, b in zip(shape[:2], leaf.shape))
