"""The conformance kit: does a layer, loss or metric keep the mask contract?

`check_layer(MyLayer)`, `check_loss(MyLoss)` and `check_metric(MyMetric)` run
every check on the current backend and return a `Report`. Keras is imported on
first use, so that the pytest plugin and the command line can start before a
backend is chosen.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Case": "case",
    "LossCase": "score_case",
    "MetricCase": "score_case",
    "TargetError": "case",
    "Check": "registry",
    "all_checks": "registry",
    "get_check": "registry",
    "MaskContractError": "report",
    "Report": "report",
    "Result": "report",
    "check_layer": "runner",
    "check_loss": "runner",
    "check_metric": "runner",
    "iter_checks": "runner",
    "parametrize_with_checks": "parametrize",
}
__all__ = [*sorted(_HOMES), "strategies"]


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return import_module(f"{__name__}.strategies")
    if name in _HOMES:
        home = import_module(f"{__name__}.{_HOMES[name]}")
        return getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
