"""Advice for findings: one of our layers, `convert`, or a line of code."""

import keras

from keras_masking._keras import is_functional
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
        "Attach the mask to what the code makes: "
        "`x = keras_masking.layers.AttachMask()(x, mask=mask)`. For a sum or a "
        "product, use `MaskedAdd` or `MaskedMultiply` instead of the code."
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
LEAKY_OPERATION = (
    "Give it the mask: `keras_masking.ops` has `masked_mean(x, mask)`, "
    "`masked_max`, `masked_softmax` and others; or select with "
    "`ops.where(mask[..., None], x, 0)` before it."
)
UNMASKED = (
    "No mask reaches it. Attach it before: "
    "`x = keras_masking.layers.AttachMask()(x, mask=mask)`. "
)


def advise(call: Call, verdict: str) -> str:
    """The advice for a call that is to blame."""
    if verdict == "made by code":
        return GENERAL[verdict]
    if call.operation:
        return LEAKY_OPERATION if verdict == "leaks" else OPERATION
    masked = any(slot.mask is not None for slot in call.inputs)
    known = _of_keras(name_in_keras(call.layer))
    if verdict == "leaks" and not masked and call.parent is not None:
        return UNMASKED + (known or GENERAL[verdict])
    if known:
        return f"{known} {CONVERT}" if converts(call) else known
    if verdict == "drops" and len([s for s in call.inputs if s.axes]) > 1:
        return MERGED
    return GENERAL[verdict]


def converts(call: Call) -> bool:
    """Whether `convert` replaces the layer of a call that gets a mask.

    It goes through the graphs of models, not into other layers.
    """
    outer = call.parent
    while outer is not None:
        model = outer.layer
        listed = isinstance(model, keras.Sequential)
        own = type(model).call is not keras.Sequential.call
        if not is_functional(model) and (own or not listed):
            return False
        outer = outer.parent
    known = name_in_keras(call.layer) in (*DROP_INS, *WRAPPED)
    return known and call.parent is not None


def _of_keras(name: str) -> str:
    if name in DROP_INS:
        return f"Use `keras_masking.layers.Masked{name}` instead."
    if name in WRAPPED:
        return "Wrap it in `keras_masking.layers.KeepMask`."
    if name == "Softmax":
        return (
            "Use `keras_masking.layers.TemporalSoftmax` for a softmax over "
            "steps, `MyActivation('softmax')` for one over features."
        )
    if name == "TimeDistributed":
        return "Use `keras_masking.layers.MaskedTimeDistributed` instead."
    return ""
