"""Finds arguments that `get_config` omits.

A name that is missing in the config proves nothing: it may be stored under
another name, or be needed only in `__init__`. So the layer is made with another
value, then again from its config, and both are compared: their outputs, their
configs, and the attribute with the name of the argument. If no other value is
known, an attribute that the config holds under no name is enough.

Keras leaves out arguments that change no output, such as `flash_attention`: of
the arguments of its own classes, only the outputs are compared.
"""

import inspect
import json
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_masking import array_compare
from keras_masking import layer_calls
from keras_masking.contract.harness.compare import require_equal
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.training import takes_training
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.errors import first_words

# Values to try for a default of that type.
_FOR_NONE = (2, 0.5, True, "tanh")
_FOR_STRINGS = ("tanh", "linear", "sum", "mean", "max", "same", "valid")


def check_arguments(harness: LayerHarness) -> None:
    """Raises `ContractViolation` if the config omits a needed argument."""
    kind, config = type(harness.layer), harness.layer.get_config()
    for name, default, from_keras in _missing(kind, config):
        accepted = from_keras
        for value in _others(default):
            changed = {**config, name: value}
            lost = _lost(harness, kind, changed, "" if from_keras else name)
            accepted |= lost is not None
            if lost:
                raise ContractViolation(
                    f"made with `{name}={value!r}` and then again from its "
                    f"config, {lost}: `get_config` omits `{name}`"
                )
        held = _attribute(harness.layer, name)
        if not accepted and held is not None and not _other_names(kind, config):
            raise ContractViolation(
                f"the layer holds `{name}={held!r}`, but `get_config` omits "
                f"`{name}`"
            )


def _missing(
    kind: Any, config: dict[str, Any]
) -> Iterator[tuple[str, Any, bool]]:
    """Arguments with a default that are not in the config.

    Each with its default, and whether a class of Keras has it.

    Those of the class and, if it takes `**kwargs`, of its base classes. Seeds
    are left out: their state is saved with the weights, and PyTorch draws
    differently with a seed.
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
                keras_has = one.__module__.partition(".")[0] == "keras"
                yield name, parameter.default, keras_has
        if all(p.kind is not p.VAR_KEYWORD for p in found.values()):
            return


def _parameters(kind: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(kind.__init__).parameters)


def _others(default: Any) -> tuple[Any, ...]:
    """Other values that the argument may accept, guessed from its default."""
    if default is None:
        return _FOR_NONE
    if isinstance(default, bool):
        return (not default,)
    if isinstance(default, int | float):
        return (default + 1, default + 0.25)
    if isinstance(default, str):
        return tuple(value for value in _FOR_STRINGS if value != default)
    return ()


def _attribute(layer: Any, name: str) -> Any:
    """The attribute of an instance that keeps an argument; None without one."""
    held = vars(layer)
    return held.get(name, held.get(f"_{name}"))


def _other_names(kind: Any, config: dict[str, Any]) -> set[str]:
    """The keys of a config that no argument is called."""
    known: set[str] = set()
    for one in kind.__mro__[: kind.__mro__.index(keras.layers.Layer) + 1]:
        if "__init__" in vars(one):
            known |= set(_parameters(one))
    return set(config) - known - {"name", "dtype", "trainable"}


def _lost(
    harness: LayerHarness,
    kind: Any,
    config: dict[str, Any],
    name: str,
) -> str | None:
    """What a layer with that config loses when it is made again, or ''.

    Among it the attribute `name`, if given. None if the layer does not accept
    the config.
    """
    try:
        layer = _made(harness, kind, config)
        first, again = _runs(harness, layer), _runs(harness, layer)
        written = layer.get_config()
    except Exception:
        return None
    if _difference(first, again):
        return ""  # random, and not from a seed
    try:
        loaded = _made(harness, kind, written)
        # Seeds are saved with the weights.
        for old, new in zip(layer.variables, loaded.variables, strict=True):
            new.assign(array_compare.as_array(old))
        seen = _difference(first, _runs(harness, loaded))
    except Exception as error:
        return f"it fails: {first_words(error)}"
    if seen:
        return seen
    if _plain(written) != _plain(loaded.get_config()):
        return "its config changes"
    held, kept = _attribute(layer, name), _attribute(loaded, name)
    if name and held == config[name] and held != kept:
        return f"its `{name}` is {kept!r}"
    return ""


def _plain(config: dict[str, Any]) -> str:
    """A config as text; of objects, their class."""
    return json.dumps(
        keras.saving.serialize_keras_object(config),
        sort_keys=True,
        default=lambda x: type(x).__name__,
    )


def _made(harness: LayerHarness, kind: Any, config: dict[str, Any]) -> Any:
    """A built layer with that config."""
    keras.utils.set_random_seed(harness.seed)
    layer = kind.from_config(dict(config))
    harness.call(layer, harness.batch)
    return layer


def _runs(harness: LayerHarness, layer: Any) -> list[layer_calls.CallOutputs]:
    """Its outputs by default and, if it knows of training, in training.

    Its state is restored.
    """
    # Copied, because on PyTorch the array shares memory with the variable.
    state = [(v, np.array(array_compare.as_array(v))) for v in layer.variables]
    runs = []
    for training in (None, True) if takes_training(layer) else (None,):
        keras.utils.set_random_seed(harness.seed)
        runs.append(harness.call(layer, harness.batch, training=training))
        for variable, value in state:
            variable.assign(value)
    return runs


def _difference(
    first: list[layer_calls.CallOutputs], second: list[layer_calls.CallOutputs]
) -> str:
    for one, other in zip(first, second, strict=True):
        for i, (a, b) in enumerate(zip(one.outputs, other.outputs)):
            if a.shape != b.shape:
                return f"output {i} has shape {b.shape}, not {a.shape}"
            try:
                runs = "at first", "then"
                require_equal(a, b, one.dtypes[i], runs, "")
            except ContractViolation as violation:
                return violation.seen
            if not _alike(one.masks[i], other.masks[i]):
                return f"the mask of output {i} changes"
    return ""


def _alike(mask: Any, other: Any) -> bool:
    if mask is None or other is None:
        return mask is other
    return mask.shape == other.shape and bool((mask == other).all())
