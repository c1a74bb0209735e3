"""Masks of a model that the caller of `convert` names."""

from typing import Any
from typing import NoReturn

from keras_masking.conversion.mask_inputs import Found
from keras_masking.conversion.mask_inputs import Graph
from keras_masking.conversion.mask_inputs import is_ids
from keras_masking.errors import describe
from keras_masking.names import did_you_mean

NOT_ATTACHED = "it is used as a mask, but `mask_inputs` does not attach it"
FORM = (
    "Pass a dict such as `mask_inputs={'padding_mask': 'embedding'}`: an input "
    "that is True or 1 at real steps, and the input or layer that it masks."
)


def named(model: Any, mask_inputs: dict[str, Any]) -> Found:
    """The masks that the caller names, by input, and what they mask.

    Raises:
        ValueError: If there is no such input or layer, or it cannot carry a
            mask of steps.
    """
    graph, found = Graph(model), Found()
    inputs = {x.name: x for x in model.inputs}
    if isinstance(model.input, dict):
        inputs |= {k: x for k, x in model.input.items() if k not in inputs}
    made: dict[str, list[Any]] = {}
    for node in graph.nodes:
        made.setdefault(node.operation.name, []).extend(node.outputs)
    for key, given in mask_inputs.items():
        mask = _lookup(key, inputs, "input")
        for name in [given] if isinstance(given, str) else given:
            there = _lookup(name, {**made, **inputs}, "input or layer")
            tensors = there if name in made else graph.targets(there)
            tensors = [x for x in tensors if len(x.shape) > 2 or is_ids(x)]
            if not tensors or there is mask:
                _refuse(
                    "a mask of steps needs a tensor (batch, steps, ...).",
                    "Name the layer whose output is the sequence, for example "
                    "the embedding.",
                    {key: name},
                )
            for x in tensors:
                found.masks[id(x)] = mask
                found.names[id(x)] = name, key
    used = {id(mask) for mask in found.masks.values()}
    auto = graph.found()
    found.unclear = auto.unclear + [
        (mask, NOT_ATTACHED)
        for mask in sorted({mask for _, mask in auto.names.values()})
        if mask in inputs
    ]
    found.unclear = [
        (name, why)
        for name, why in found.unclear
        if id(inputs[name]) not in used
    ]
    return found


def _lookup(name: Any, known: dict[str, Any], kind: str) -> Any:
    if name not in known:
        hint = did_you_mean(str(name), known)
        rule = f"`mask_inputs` must name an {kind} of the model.{hint}"
        _refuse(rule, f"{FORM} There are: {', '.join(known)}.", repr(name))
    return known[name]


def _refuse(rule: str, fix: str, received: Any) -> NoReturn:
    raise ValueError(describe("`convert`", rule, fix, mask_inputs=received))
