"""Masking for Keras 3: the same output with more padding.

Nothing here imports Keras. The modules are loaded at first use; importing
`keras_masking.layers`, `losses` or `metrics` registers what is in them, so that
`keras.saving.load_model` knows it.
"""

from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"
__all__ = ["contract", "errors", "layers", "losses", "metrics", "ops"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
