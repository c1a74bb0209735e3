"""What is measured on a converted model: what still lets padding in."""

from typing import Any

import keras

from keras_masking.conversion.calls import is_model
from keras_masking.conversion.swaps import swaps_in
from keras_masking.conversion.walk import Walk
from keras_masking.counterparts import name_in_keras
from keras_masking.errors import first_words
from keras_masking.inspector.data import CallRecord
from keras_masking.inspector.inspection import inspect_masks
from keras_masking.layers.base import MaskAware

KEEPS = "it loses the mask, but lets no padding in: wrap it in `KeepMask`"
BY_OPERATION = (
    "an operation between layers loses the mask; if it does not mix steps, use "
    "a layer, for example `KeepMask(keras.layers.Lambda(...))`"
)
STEP_BY_OPERATION = (
    "an operation between layers takes the steps away without a mask; "
    "`FirstStep` and `LastStep` take real steps"
)
TAKES = (
    "it takes the steps away without a mask; padding on the right did not move "
    "its output"
)
UNMEASURED = "it loses the mask; whether it lets padding in was not measured: "
READS = "it reads padding: "
READS_ON = "it reads padding, which `KeepMask` would not change: "
# Faults that were measured on a call, by their names in `inspector.data`.
MEASURED = ("leaks", "ignores", "changed meaning", "not finite", "fails")


def is_strange(layer: Any) -> bool:
    """Whether only a measurement can say what it does with padding."""
    keras_layer = isinstance(layer, keras.layers.Layer)
    return (
        keras_layer
        and not is_model(layer)
        and not isinstance(layer, MaskAware)
        and (not name_in_keras(layer) or hasattr(layer, "function"))
    )


def judge(made: Any, walk: Walk, inputs: Any, padding: Any) -> None:
    """Says in the report of a walk what is measured on its new model.

    Args:
        made: The new model.
        walk: The walk that made it.
        inputs: What to run it on, or None to make them up.
        padding: What padding steps of the inputs hold; None to guess.
    """
    left = walk.report.left
    try:
        found = inspect_masks(made, inputs, padding=padding)
        why_not = found.error
    except Exception as error:
        found, why_not = None, first_words(error)
    calls = [] if found is None else found.calls
    for place, layer in walk.losing.items():
        # A copy may have another name, if its config has none.
        _, new = walk.made.get(id(layer), (layer, layer))
        name, kind, _ = left[place]
        why = _reason(layer, new.name, calls, why_not)
        left[place] = name, kind, why
    if found is None:
        return
    owners = {
        new.name: old for old, new in walk.made.values() if not is_model(old)
    }
    said = {name for name, _, _ in left}
    for call in found.findings:
        path = call.path.split("/")
        owner = next((owners[n] for n in path if n in owners), None)
        name = call.name if owner is None else owner.name
        if name not in said:
            said.add(name)
            kind = call.type if owner is None else type(owner).__name__
            inside = owner is not None and path[-1] not in owners
            left.append((name, kind, _finding(owner, call, inside)))


def _reason(
    layer: Any, name: str, calls: list[CallRecord], why_not: str
) -> str:
    """Why a layer that loses the mask is left."""
    own = [c for c in calls if (c.name, c.type) == (name, type(layer).__name__)]
    bad = [c for c in own if c.verdict in MEASURED]
    if bad:
        kept = any(c.role == "drops" for c in own)
        start = READS_ON if kept else READS
        return start + first_sentence(bad[0].reason) + code_for(layer)
    takes = bool(own) and all(c.role == "reduces" for c in own)
    if not isinstance(layer, keras.layers.Layer):
        return STEP_BY_OPERATION if takes else BY_OPERATION
    unmeasured = [c for c in own if c.moved is None]
    if not own or unmeasured:
        reasons = [c.reason for c in unmeasured if c.reason]
        why = why_not or (reasons or ["no mask reached it"])[0]
        return UNMEASURED + first_sentence(why)
    return TAKES if takes else KEEPS


def _finding(owner: Any, call: CallRecord, inside: bool) -> str:
    where = f"in it, `{call.name}` ({call.type}): " if inside else ""
    return where + first_sentence(call.reason) + code_for(owner)


def first_sentence(text: str) -> str:
    """The first sentence of a reason, to go on with."""
    first = text.split(". ")[0].rstrip(".")
    word = first.split(" ")[0]
    return first[:1].lower() + first[1:] if word in ("Its", "It") else first


def code_for(layer: Any) -> str:
    """The layers to swap in the code of a layer, or ""."""
    strange = layer is not None and is_strange(layer)
    swaps = swaps_in(layer) if strange else []
    if not swaps:
        return ""
    passes = (
        "" if layer.supports_masking else "self.supports_masking = True`, `"
    )
    listed = "`, `".join(f"self.{s.attribute} = {s.ours}" for s in swaps)
    return (
        f"; in its code, write `{passes}{listed}`, with `from keras_masking "
        "import layers`"
    )
