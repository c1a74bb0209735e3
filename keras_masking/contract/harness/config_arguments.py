"""Arguments that a layer's config forgets, found by what the layer gives.

A name that is missing in the config proves nothing: it may be spelled in
another way, or be meant for making the layer only. So the layer is made with
another value, and made anew from its config: does it then give something else?
"""

import inspect
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_masking import array_compare
from keras_masking import layer_calls
from keras_masking.contract.harness.compare import same
from keras_masking.contract.harness.layer_harness import ContractViolation
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.errors import first_words

# What is tried for a default of that type.
_FOR_NONE = (2, 0.5, True, "tanh")
_FOR_WORDS = ("tanh", "linear", "sum", "mean", "max", "same", "valid")


def check_arguments(harness: LayerHarness) -> None:
    """Raises a `ContractViolation` if the config forgets an argument that matters."""
    kind, config = type(harness.layer), harness.layer.get_config()
    for name, default in _missing(kind, config):
        for value in _others(default):
            lost = _lost(harness, kind, {**config, name: value})
            if lost:
                raise ContractViolation(
                    f"made with `{name}={value!r}` and then anew from its "
                    f"config, {lost}: `get_config` says nothing of `{name}`"
                )


def _missing(kind: Any, config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Arguments with a default that are not in the config, and the default.

    Those of the class and, where it takes any, of the classes above it. Not
    seeds: their state is saved with the weights, and PyTorch draws in another
    way where one was given.
    """
    known = set(config) | set(_parameters(keras.layers.Layer))
    for one in kind.__mro__[: kind.__mro__.index(keras.layers.Layer)]:
        if "__init__" not in vars(one):
            continue
        found = _parameters(one)
        for name, parameter in found.items():
            optional = parameter.default is not parameter.empty
            if optional and name not in known and "seed" not in name:
                known.add(name)
                yield name, parameter.default
        if all(p.kind is not p.VAR_KEYWORD for p in found.values()):
            return


def _parameters(kind: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(kind.__init__).parameters)


def _others(default: Any) -> tuple[Any, ...]:
    """Values that the argument may take as well, as far as one can guess."""
    if default is None:
        return _FOR_NONE
    if isinstance(default, bool):
        return (not default,)
    if isinstance(default, int | float):
        return (default + 1, default + 0.25)
    if isinstance(default, str):
        return tuple(word for word in _FOR_WORDS if word != default)
    return ()


def _lost(harness: LayerHarness, kind: Any, config: dict[str, Any]) -> str:
    """What a layer of that config loses when it is made anew, or ''."""
    try:
        layer = _made(harness, kind, config)
        first, again = _runs(harness, layer), _runs(harness, layer)
        written = layer.get_config()
    except Exception:
        return ""  # a value that the layer does not take
    if _difference(first, again):
        return ""  # it draws at random, and from no seed
    try:
        loaded = _made(harness, kind, written)
        # Seeds are saved with the weights.
        for old, new in zip(layer.variables, loaded.variables, strict=True):
            new.assign(array_compare.as_array(old))
        return _difference(first, _runs(harness, loaded))
    except Exception as error:
        return f"it fails: {first_words(error)}"


def _made(harness: LayerHarness, kind: Any, config: dict[str, Any]) -> Any:
    """A layer of that config, built."""
    keras.utils.set_random_seed(harness.seed)
    layer = kind.from_config(dict(config))
    harness.call(layer, harness.batch)
    return layer


def _runs(harness: LayerHarness, layer: Any) -> list[layer_calls.Seen]:
    """What it gives by itself, and in training; its state is put back."""
    # Copied: PyTorch hands out the memory of the variable itself.
    state = [(v, np.array(array_compare.as_array(v))) for v in layer.variables]
    runs = []
    for training in (None, True):
        keras.utils.set_random_seed(harness.seed)
        runs.append(harness.call(layer, harness.batch, training=training))
        for variable, value in state:
            variable.assign(value)
    return runs


def _difference(
    first: list[layer_calls.Seen], second: list[layer_calls.Seen]
) -> str:
    for one, other in zip(first, second, strict=True):
        for i, (a, b) in enumerate(zip(one.outputs, other.outputs)):
            if a.shape != b.shape:
                return f"output {i} has shape {b.shape}, not {a.shape}"
            try:
                same(a, b, one.dtypes[i], "it gives other values", "")
            except ContractViolation as violation:
                return violation.seen
            if not _alike(one.masks[i], other.masks[i]):
                return f"the mask of output {i} is another one"
    return ""


def _alike(mask: Any, other: Any) -> bool:
    if mask is None or other is None:
        return mask is other
    return mask.shape == other.shape and bool((mask == other).all())
