"""What breaks the contract on purpose: the proof of the checks.

Layers, losses and metrics.
"""

from collections.abc import Iterable
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

import keras

from keras_masking.contract import Case
from keras_masking.contract import LossCase
from keras_masking.contract import MetricCase
from keras_masking.contract import Report
from keras_masking.contract import all_checks
from keras_masking.contract import check_layer
from keras_masking.contract import check_loss
from keras_masking.contract import check_metric
from keras_masking.names import LEVELS

BACKENDS = ("tensorflow", "torch", "jax")
# The modules of checks that call a layer as it is, in no model.
EAGER = ("calls", "masks", "meaning", "values", "lengths", "rows")


@dataclass(frozen=True)
class Broken:
    """A broken layer, loss or metric, and the check that must catch it.

    Args:
        case: The layer, loss or metric, as a case.
        catches: The id of the check that must fail.
        also: The ids of other checks that may.
        backends: Where the bug exists.
        why: What is wrong with it.
    """

    case: Case | LossCase | MetricCase
    catches: str
    why: str
    also: Set[str] = frozenset()
    backends: tuple[str, ...] = BACKENDS

    def __str__(self) -> str:
        return f"{self.catches}-{self.case.name}"


def here(layers: list[Broken]) -> list[Broken]:
    """Those whose bug exists on the current backend."""
    return [b for b in layers if keras.backend.backend() in b.backends]


def ids_of(modules: Iterable[str], least: str = "information") -> list[str]:
    """The ids of the checks in these modules, from a level upwards."""
    return [
        check.id
        for check in all_checks().values()
        if check.run.__module__.rpartition(".")[2] in modules
        and LEVELS.index(check.level) <= LEVELS.index(least)
    ]


def judge(case: Case | LossCase | MetricCase, **how: Any) -> Report:
    """The report of a case of any kind, with checks of all levels."""
    check = check_layer
    if isinstance(case, LossCase):
        check = check_loss
    if isinstance(case, MetricCase):
        check = check_metric
    return check(case, level="information", **how)


def assert_caught(broken: Broken, only: Iterable[str] | None = None) -> Report:
    """Asserts that its check fails, and none that is not allowed to.

    Of all checks, or of those whose ids are given.
    """
    report = judge(broken.case, only=only)
    status = {result.check: result.status for result in report.results}
    assert status[broken.catches] == "fail", f"{status}\n{report}"
    failing = {name for name, how in status.items() if how == "fail"}
    surplus = failing - {broken.catches} - broken.also
    assert not surplus, f"{sorted(surplus)}\n{report}"
    assert "kit-error" not in status.values(), str(report)
    return report
