"""One pytest test for each case and check."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import keras

from keras_masking.contract.report import MaskContractError
from keras_masking.contract.report import Result
from keras_masking.contract.runner import iter_checks


class BoundCheck:
    """A check bound to a case; calling it raises if the layer fails it."""

    is_mask_check = True  # the pytest plugin looks for this

    def __init__(self, name: str, level: str, run: Any) -> None:
        self.name = name
        self.level = level
        self.run = run
        self.result: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return self.name

    def __call__(self) -> Result:
        import pytest

        __tracebackhide__ = True  # the message says what the layer did
        result: Result = self.run()
        self.result = asdict(result)
        if result.counts:
            raise MaskContractError(str(result))
        if result.status == "xfail":
            pytest.xfail(result.reason)
        if result.status in ("n/a", "blocked"):
            pytest.skip(f"{result.status}: {result.reason}")
        return result


def parametrize_with_checks(
    targets: Iterable[Any], *, level: str = "advised", **options: Any
) -> Any:
    """Decorates a test to run once for each target and check.

    Args:
        targets: Layer classes, functions that return layers, layers, `Case`s,
            `LossCase`s or `MetricCase`s.
        level: The lowest level to run, see `check_layer`.
        **options: `seed` and `torch_compile`, see `check_layer`.

    Returns:
        A decorator for a test with one argument, `check`, which it calls.

    Example:

    >>> from keras_masking.contract import parametrize_with_checks
    >>> @parametrize_with_checks([keras.layers.ReLU])
    ... def test_masks(check):
    ...     check()
    """
    import pytest

    params = []
    backend = keras.backend.backend()
    for target in targets:
        for case, check, run in iter_checks(target, level, **options):
            name = f"{case.name}-{check.id}-{backend}"
            bound = BoundCheck(name, check.level, run)
            params.append(pytest.param(bound, id=name))
    return pytest.mark.parametrize("check", params)
