"""The inspector: where does the mask of a model go?

`inspect_masks(model, inputs)` runs a model once with every layer call watched,
measures which layers let padding in, and returns a `MaskReport`. Keras is
imported on first use.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "CallRecord": "data",
    "Drift": "data",
    "MaskFindingsError": "report",
    "MaskGuard": "guard",
    "MaskReport": "report",
    "OutputRecord": "data",
    "PaddingRecord": "data",
    "TensorRecord": "data",
    "inspect_masks": "inspection",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
