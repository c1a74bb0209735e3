"""Runs the checks of a case, one after the other, and never stops early."""

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
from keras_masking.contract.harness.layer_harness import CallFailed
from keras_masking.contract.harness.layer_harness import ContractViolation
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.layer_harness import NotApplicable
from keras_masking.contract.harness.reproduce import script
from keras_masking.contract.harness.roles import infer_role
from keras_masking.contract.registry import Check
from keras_masking.contract.registry import all_checks
from keras_masking.contract.registry import check_ids
from keras_masking.contract.report import Report
from keras_masking.contract.report import Result
from keras_masking.names import LEVELS
from keras_masking.versions import versions

# Tried in this order when a check fails: the first that still does is told.
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
        layer_or_factory: A layer class that needs no arguments, a function
            that makes a layer, a layer, or a `Case`.
        role: What the layer does with a mask, see `Case`. Inferred if not
            given.
        inputs: An example input, see `Case`. Defaults to floats `(3, 6, 4)`.
        call_kwargs: More arguments of each call, see `Case`.
        only: The ids of the checks to run, with those they depend on.
            Defaults to all of the level.
        skip: Ids not to run: they are n/a.
        expected_failures: Ids that may fail, each with its reason. One that
            passes is a failure: the reason is gone.
        level: `"required"`, `"advised"` or `"information"`: the least of which
            checks run. Defaults to `"advised"`.
        seed: Seed of weights and inputs.
        torch_compile: Whether `jit` runs on PyTorch, which takes seconds.
        on_result: Is told each result when it is there.

    Returns:
        A `Report`. It raises nothing of its own: see `raise_for_failures`.

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
    chosen = choose(level, only, skip, expected)
    for check in all_checks().values():
        if check.id not in chosen:
            continue
        if skip and check.id in skip:
            result = run.result(check, "n/a", reason="skipped as asked")
        else:
            result = run(check, expected.get(check.id))
        if on_result is not None:
            on_result(result)
        run.report.results.append(result)
    return run.report


def choose(
    level: str,
    only: Iterable[str] | None,
    skip: Iterable[str] | None,
    expected: Mapping[str, str],
) -> set[str]:
    """The ids to run, those that they depend on included."""
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
                f"The expected failure {name!r} needs a reason: why may it "
                "fail? Say it, with a link if there is one."
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
            f"The expected failure {name!r} matches no check that runs: it is "
            f"of a level beyond {level!r}."
        )
    return chosen


def iter_checks(
    case: Any, level: str = "advised", **options: Any
) -> Iterator[tuple[Case, Check, Callable[[], Result]]]:
    """Each check of a case with a function that runs it.

    The functions share one layer, so run them in order.
    """
    case = as_case(case)
    chosen = choose(level, None, None, case.expected_failures)
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
    """The checks of one case: what they share, and what is known so far."""

    def __init__(
        self, case: Case, seed: int = 0, torch_compile: bool = False
    ) -> None:
        self.case = case
        self.seed = seed
        self.torch_compile = torch_compile
        self.status: dict[str, str] = {}
        self._small: dict[tuple[int, int, int], LayerHarness] = {}
        case.make()  # a target that makes no layer is an error at once
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
            # Let `runs-with-mask` say so.
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
            return self.result(check, "n/a", reason=f"a layer that {role}")
        for before in check.after:
            earlier = self.status.get(before)
            if earlier is None:
                earlier = self._judge(all_checks()[before]).status
                self.status[before] = earlier
            if earlier not in ("pass", "n/a", "xpass"):
                return self.result(
                    check, "blocked", reason=f"{before} did not pass"
                )
        violation = self._run(check, self.harness)
        if violation is None:
            return self.result(check, "pass")
        if isinstance(violation, NotApplicable):
            return self.result(check, "n/a", reason=str(violation))
        if not isinstance(violation, ContractViolation):
            text = f"{type(violation).__name__}: {violation}"
            return self.result(check, "kit-error", seen=text)
        return self._tell(check, violation)

    def _run(self, check: Check, harness: LayerHarness) -> Exception | None:
        try:
            check.run(harness)
        except Exception as error:
            return error
        return None

    def _tell(self, check: Check, violation: ContractViolation) -> Result:
        """A failure with the smallest inputs that still show it."""
        harness = self.harness
        for shape in SMALLER:
            if not _fits(harness, shape):
                continue
            try:
                if shape not in self._small:
                    self._small[shape] = self._new_harness(shape)
                small = self._small[shape]
                if small.role != harness.role:
                    continue  # too small to see what the layer does
                error = self._run(check, small)
            except Exception:
                continue
            if type(error) is type(violation) and isinstance(
                error, ContractViolation
            ):
                harness, violation = small, error
                break
        got = self.harness.received()
        told = "not called" if got is None else "yes" if got else "no"
        where = f"call received the mask: {told}"
        return self.result(
            check,
            "fail",
            seen=violation.seen,
            where="; ".join(p for p in (violation.where, where) if p),
            cause=check.cause,
            right=check.right,
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
