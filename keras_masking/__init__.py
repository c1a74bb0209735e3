"""Masking for Keras 3: more padding does not change the output.

This module does not import Keras. Submodules are imported on first use;
importing `keras_masking.layers`, `losses` or `metrics` registers their classes
for `keras.saving.load_model`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_MODULES = [
    "batching",
    "contract",
    "errors",
    "exporting",
    "inspector",
    "layers",
    "losses",
    "metrics",
    "ops",
]
__all__ = [*_MODULES, "convert", "export", "inspect_masks"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name == "convert":
        return import_module(f"{__name__}.conversion").convert
    if name == "export":
        return import_module(f"{__name__}.exporting").export
    if name == "inspect_masks":
        return import_module(f"{__name__}.inspector").inspect_masks
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
