"""Which layers to swap in code that `convert` cannot change."""

from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import keras

from keras_masking._keras import with_sublayers
from keras_masking.counterparts import DROP_INS
from keras_masking.counterparts import WRAPPED
from keras_masking.counterparts import name_in_keras

MOST = 20  # lines of code in a message


class Swap(NamedTuple):
    """A Keras layer in the code of another layer, and what to use instead."""

    attribute: str
    keras: str
    ours: str

    @property
    def line(self) -> str:
        """The line of code."""
        return f"self.{self.attribute} = {self.ours}  # was {self.keras}"


def code_for_model(model: Any) -> str:
    """What to change in the code of a subclassed model; "" if not known."""
    swaps = swaps_in(model) if isinstance(model, keras.layers.Layer) else []
    if not swaps:
        return ""
    lines = [swap.line for swap in swaps[:MOST]]
    if len(swaps) > MOST:
        lines.append(f"# and {len(swaps) - MOST} more")
    code = "\n    ".join(["from keras_masking import layers", *lines])
    return (
        "It is subclassed, and calls its layers in its own code. Change them "
        f"there:\n    {code}\nwith the same arguments; the weights fit. Where "
        "a mask comes in as an argument, call `layers.AttachMask()(x, "
        "mask=mask)` first. `keras_masking.inspect_masks(model, inputs)` shows "
        "what still lets padding in."
    )


def swaps_in(layer: Any) -> list[Swap]:
    """The Keras layers that a layer or model holds, and that let padding in."""
    return list(_swaps(layer, "", {id(layer)}))


def _swaps(layer: Any, prefix: str, seen: set[int]) -> Iterator[Swap]:
    for name, inner in _held(layer):
        if id(inner) in seen:
            continue
        seen.add(id(inner))
        attribute = f"{prefix}{name}"
        ours = _ours(inner)
        if ours:
            yield Swap(attribute, type(inner).__name__, ours)
        elif not name_in_keras(inner) or isinstance(inner, keras.Model):
            yield from _swaps(inner, f"{attribute}.", seen)


def _held(layer: Any) -> list[tuple[str, Any]]:
    """The layers in the attributes of a layer, by name, as it made them."""
    if isinstance(layer, keras.Sequential):
        return [(f"layers[{i}]", x) for i, x in enumerate(layer.layers)]
    # `_layers` is Keras' list of all; TensorFlow tracks them in `_self_...`.
    skipped = ("_layers", "_self_")
    own = {k: v for k, v in vars(layer).items() if not k.startswith(skipped)}
    own |= own.pop("_modules", {})  # PyTorch keeps attributes there
    found = []
    for name, value in own.items():
        pairs: Any = [(name, value)]
        if isinstance(value, (list, tuple)):
            pairs = [(f"{name}[{i}]", x) for i, x in enumerate(value)]
        elif isinstance(value, dict):
            pairs = [(f"{name}[{key!r}]", x) for key, x in value.items()]
        found += [(k, x) for k, x in pairs if isinstance(x, keras.layers.Layer)]
    order = {id(x): i for i, x in enumerate(with_sublayers(layer))}
    return sorted(found, key=lambda pair: order.get(id(pair[1]), len(order)))


def _ours(layer: Any) -> str:
    """The code for our layer, or "" if the Keras layer can stay."""
    name = name_in_keras(layer)
    if name in DROP_INS:
        return f"layers.Masked{name}(...)"
    if name in WRAPPED:
        return f"layers.KeepMask(keras.layers.{name}(...))"
    if name == "TimeDistributed":
        return "layers.MaskedTimeDistributed(...)"
    if name == "Softmax" and layer.axis in (1, -2):
        return "layers.TemporalSoftmax()"
    return ""
