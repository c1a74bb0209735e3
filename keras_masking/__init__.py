"""Masking for Keras 3: the same output with more padding.

Nothing here imports Keras. `keras_masking.ops` and `keras_masking.layers`
are loaded at first use; importing `keras_masking.layers` registers the
layers, so that `keras.saving.load_model` knows them.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"
__all__ = ["contract", "errors", "layers", "ops"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
