"""Runs of a model that leave nothing behind, each watched."""

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
    """What one run of the model gave: its calls, or an error after some."""

    root: Call
    error: Exception | None
    warnings: list[Any]

    @cached_property
    def by_key(self) -> dict[Any, Call]:
        return {call.key: call for call in self.root.walk()}


def run(
    model: Any, inputs: Inputs, training: bool, other_seeds: bool = False
) -> Run:
    """Calls the model once. What it raises is kept, not raised."""
    watch = Watch()
    error = None
    with watching(watch), _no_trace(_moved_seeds(model) if other_seeds else ()):
        if other_seeds:  # torch draws from a state of its own
            keras.random.dropout(ops.ones((8,)), 0.5)
        try:
            model(inputs.pack(inputs.tensors()), training=training)
        except Exception as raised:
            error = raised
    if watch.root is None:
        # It was refused before any layer saw it.
        raise error or ValueError("the model called no layer")
    return Run(watch.root, error, watch.warnings)


def build(model: Any, inputs: Inputs) -> None:
    """Has a model that is not built make its weights, by a call.

    What the call raises, the run that follows tells.
    """
    with watching(Watch()), losses_kept(model), suppress(Exception):
        with _no_trace():
            model(inputs.pack(inputs.tensors()))
        if not model.built:
            model(inputs.pack(inputs.tensors()))


def _moved_seeds(model: Any) -> list[tuple[Any, Any]]:
    """The integers among a model's states, each one more: seeds."""
    states = [
        v for x in with_sublayers(model) for v in x.non_trainable_variables
    ]
    unique = {id(v): v for v in states if "int" in str(v.dtype)}
    return [(v, v.value + 1) for v in unique.values()]


@contextmanager
def _no_trace(states: Sequence[tuple[Any, Any]] = ()) -> Iterator[None]:
    """What is written and drawn inside is as if it had not been.

    A `StatelessScope` takes what a model would write: statistics, seeds, states
    of recurrent layers, losses. `states` are there in place of its own.
    """
    scope = keras.StatelessScope(list(states), collect_losses=True)
    with scope, random_state_kept():
        yield


def again(
    call: Call,
    fresh: dict[int, Any],
    before: Callable[[Call], None] | None = None,
    after: Callable[[Call], None] | None = None,
) -> Call:
    """Makes a call once more, on its own, with other tensors for some.

    `fresh` has them by the id of the tensor in whose place they stand. All
    others are copied, since a layer may write on what it gets.

    Raises:
        Exception: Whatever the layer raises.
    """
    slots = {id(s.tensor): s for s in call.inputs}

    def stand_in(x: Any) -> Any:
        if id(x) in fresh:
            return fresh[id(x)]
        slot = slots.get(id(x))
        if slot is not None:
            fresh[id(x)] = copy(slot)
            return fresh[id(x)]
        return x

    args = keras.tree.map_structure(stand_in, call.args)
    kwargs = keras.tree.map_structure(stand_in, call.kwargs)
    if call.bound.get("training") is not None:
        kwargs["training"] = call.bound["training"]
    watch = Watch(before, after)
    with watching(watch), _no_trace():
        call.layer(*args, **kwargs)
    assert watch.root is not None  # noqa: S101  its inputs have numbers
    return watch.root


def copy(slot: Slot, array: np.ndarray | None = None) -> Any:
    """The slot's tensor as it went in, with its mask; or `array` in place."""
    x = slot.tensor if array is None else array
    tensor = ops.copy(ops.cast(x, dtype_name(slot.tensor)))
    if slot.carried is not None:
        set_mask(tensor, ops.copy(slot.carried))
    return tensor
