"""Exports: a file for another runtime that answers as the model does.

`export(model, path)` writes a file, opens it in its runtime, and compares its
answers with `model.predict`. `check_export(model, formats)` does the same for a
test, and keeps no file. Keras is imported on first use.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "Compared": "report",
    "ExportCheckError": "checking",
    "ExportError": "report",
    "ExportMismatchError": "report",
    "ExportReport": "report",
    "FormatsReport": "checking",
    "check_export": "checking",
    "export": "exporter",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
