"""Layers that break the contract on purpose: the proof of the checks."""

from collections.abc import Iterable
from collections.abc import Set
from dataclasses import dataclass

import keras

from keras_masking.contract import Case
from keras_masking.contract import Report
from keras_masking.contract import all_checks
from keras_masking.contract import check_layer
from keras_masking.names import LEVELS

BACKENDS = ("tensorflow", "torch", "jax")
# The modules of checks that call a layer as it is, in no model.
EAGER = ("calls", "masks", "meaning", "values", "lengths", "rows")


@dataclass(frozen=True)
class Broken:
    """A broken layer and the check that must catch it.

    Args:
        case: The layer, as a case.
        catches: The id of the check that must fail.
        also: The ids of other checks that may.
        backends: Where the bug exists.
        why: What is wrong with the layer.
    """

    case: Case
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


def assert_caught(broken: Broken, only: Iterable[str] | None = None) -> Report:
    """Asserts that its check fails, and none that is not allowed to.

    Of all checks, or of those whose ids are given.
    """
    report = check_layer(broken.case, level="information", only=only)
    status = {result.check: result.status for result in report.results}
    assert status[broken.catches] == "fail", f"{status}\n{report}"
    failing = {name for name, how in status.items() if how == "fail"}
    surplus = failing - {broken.catches} - broken.also
    assert not surplus, f"{sorted(surplus)}\n{report}"
    assert "kit-error" not in status.values(), str(report)
    return report
