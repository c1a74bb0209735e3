"""Watched runs of a model, without side effects."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._backends import random_state_kept
from keras_masking._keras import losses_kept
from keras_masking._keras import set_mask
from keras_masking._keras import with_sublayers
from keras_masking.inspector.watching.inputs import Inputs
from keras_masking.inspector.watching.patching import watching
from keras_masking.inspector.watching.watch import Call
from keras_masking.inspector.watching.watch import Slot
from keras_masking.inspector.watching.watch import Watch
from keras_masking.ops.dtypes import dtype_name


@dataclass(eq=False, repr=False)
class Run:
    """The calls of one run of the model, and its error if it failed."""

    root: Call
    error: Exception | None
    warnings: list[Any]

    @cached_property
    def by_key(self) -> dict[Any, Call]:
        return {call.key: call for call in self.root.walk()}


def run(
    model: Any, inputs: Inputs, training: bool, other_seeds: bool = False
) -> Run:
    """Calls the model once. An error is stored, not raised."""
    watch = Watch()
    error = None
    with watching(watch), _no_trace(_moved_seeds(model) if other_seeds else ()):
        if other_seeds:  # torch has its own random state
            keras.random.dropout(ops.ones((8,)), 0.5)
        try:
            model(inputs.pack(inputs.tensors()), training=training)
        except Exception as raised:
            error = raised
    if watch.root is None:
        # It failed before any layer was called.
        raise error or ValueError("the model called no layer")
    return Run(watch.root, error, watch.warnings)


def build(model: Any, inputs: Inputs) -> None:
    """Builds a model by a call.

    Errors are ignored: the run that follows reports them.
    """
    with watching(Watch()), losses_kept(model), suppress(Exception):
        with _no_trace():
            model(inputs.pack(inputs.tensors()))
        if not model.built:
            model(inputs.pack(inputs.tensors()))


def _moved_seeds(model: Any) -> list[tuple[Any, Any]]:
    """The seeds of a model, which are its integer states, each plus one."""
    states = [
        v for x in with_sublayers(model) for v in x.non_trainable_variables
    ]
    unique = {id(v): v for v in states if "int" in str(v.dtype)}
    return [(v, v.value + 1) for v in unique.values()]


@contextmanager
def _no_trace(states: Sequence[tuple[Any, Any]] = ()) -> Iterator[None]:
    """Undoes all state changes and random draws.

    A `StatelessScope` collects what a model would write: statistics, seeds,
    states of recurrent layers, losses. `states` replace its own.
    """
    scope = keras.StatelessScope(list(states), collect_losses=True)
    with scope, random_state_kept():
        yield


def call_again(
    call: Call,
    replacements: dict[int, Any],
    before: Callable[[Call], None] | None = None,
    after: Callable[[Call], None] | None = None,
) -> Call:
    """Repeats a call on its own, with some tensors replaced.

    `replacements` maps the id of a tensor to the one that replaces it. All
    others are copied, since a layer may modify its inputs.

    Raises:
        Exception: Whatever the layer raises.
    """
    slots = {id(s.tensor): s for s in call.inputs}

    def replaced(x: Any) -> Any:
        if id(x) in replacements:
            return replacements[id(x)]
        slot = slots.get(id(x))
        if slot is not None:
            replacements[id(x)] = copy(slot)
            return replacements[id(x)]
        return x

    args = keras.tree.map_structure(replaced, call.args)
    kwargs = keras.tree.map_structure(replaced, call.kwargs)
    if call.bound.get("training") is not None:
        kwargs["training"] = call.bound["training"]
    watch = Watch(before, after)
    with watching(watch), _no_trace():
        call.layer(*args, **kwargs)
    assert watch.root is not None  # noqa: S101  its inputs have values
    return watch.root


def copy(slot: Slot, array: np.ndarray | None = None) -> Any:
    """A copy of the slot's tensor, or of `array`, with the slot's mask."""
    x = slot.tensor if array is None else array
    tensor = ops.copy(ops.cast(x, dtype_name(slot.tensor)))
    if slot.carried is not None:
        set_mask(tensor, ops.copy(slot.carried))
    return tensor
