"""Advice for findings: one of our layers, `convert`, or a line of code."""

from typing import Any

from keras_masking.counterparts import DROP_INS
from keras_masking.counterparts import WRAPPED
from keras_masking.counterparts import name_in_keras
from keras_masking.inspector.watching.watch import Call

CONVERT = "`keras_masking.convert(model)` converts a whole model."
# For custom layers, by what they did.
GENERAL = {
    "fails": (
        "Put `keras_masking.layers.DropMask()` before it if it should not get "
        "the mask, or pass it a mask that fits its input."
    ),
    "wrong shape": (
        "Override `compute_mask(self, inputs, mask=None)`: return a mask with "
        "the shape of the output's first two axes, or None if the output has "
        "no steps."
    ),
    "leaks": (
        "In `call(self, inputs, mask=None)` write "
        "`ops.where(mask[..., None], inputs, 0)` before steps are mixed, and "
        "divide by the number of real steps."
    ),
    "changed meaning": (
        "AND the masks of the inputs: `keras_masking.layers.MaskedAdd`, "
        "`MaskedMultiply`, `MaskedConcatenate`, or your own `compute_mask`."
    ),
    "not finite": (
        "Divide by `ops.maximum(count, 1)`, and replace the outputs of rows "
        "without a real step."
    ),
    "deletes": (
        "Call it on a copy that carries the mask, or wrap it: "
        "`keras_masking.layers.KeepMask(layer)`."
    ),
    "drops": (
        "Wrap it in `keras_masking.layers.KeepMask(layer)` if it keeps the "
        "steps; in your own class, set `self.supports_masking = True`."
    ),
    "made by code": (
        "Use a layer instead of the code: `keras_masking.layers.MaskedAdd`, "
        "`MaskedMultiply`, `KeepMask(keras.layers.Lambda(...))`; or pass "
        "`mask=` explicitly."
    ),
    "ignores": (
        "Give `call` a parameter `mask=None`, and select with "
        "`ops.where(mask[..., None], inputs, 0)` before steps are mixed."
    ),
}
MERGED = (
    "`keras_masking.layers.MaskedAdd`, `MaskedMultiply` and "
    "`MaskedConcatenate` treat an input without a mask as all real."
)
OPERATION = (
    "Use a layer instead of the operation: `keras_masking.layers.MaskedAdd`, "
    "`MaskedMultiply`, or `KeepMask(keras.layers.Lambda(...))`."
)


def advise(call: Call, verdict: str) -> str:
    """The advice for a call that is to blame."""
    layer = call.layer
    if call.operation:
        return OPERATION
    if known := _of_keras(name_in_keras(layer), layer):
        return known
    if verdict == "drops" and len([s for s in call.inputs if s.axes]) > 1:
        return MERGED
    return GENERAL[verdict]


def _of_keras(name: str, layer: Any) -> str:
    if name in DROP_INS:
        return f"Use `keras_masking.layers.Masked{name}` instead. {CONVERT}"
    if name in WRAPPED:
        return f"Wrap it in `keras_masking.layers.KeepMask`. {CONVERT}"
    if name == "Softmax":
        return (
            "Use `keras_masking.layers.TemporalSoftmax` for a softmax over "
            "steps, `MyActivation('softmax')` for one over features."
        )
    if name == "TimeDistributed":
        return "Use `keras_masking.layers.MaskedTimeDistributed` instead."
    return ""
