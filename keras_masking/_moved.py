"""Deprecated names, which work for one more minor release and warn."""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any


def moved(module: str, homes: dict[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a module with moved names.

    Args:
        module: The `__name__` of the module.
        homes: The new path of each old name.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warnings.warn(
            f"`{module}.{name}` is now `{homes[name]}`. The old name will be "
            "removed in the minor release after the next.",
            DeprecationWarning,
            stacklevel=2,
        )
        home, _, new = homes[name].rpartition(".")
        return getattr(import_module(home), new)

    return find


def renamed(caller: str, old: str, new: str, given: Any, value: Any) -> Any:
    """`value` of the argument `new`, or the value `given` by its old name."""
    if given is None:
        return value
    warnings.warn(
        f"In {caller}: `{old}` is now `{new}`. The old name will be removed "
        "in the minor release after the next.",
        DeprecationWarning,
        stacklevel=3,
    )
    return given
