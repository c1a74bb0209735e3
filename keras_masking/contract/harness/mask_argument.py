"""The mask of a layer that takes it as data, and not as a Keras mask.

The form comes from the example that the case holds: its axes, and the values
that mean real and padding.
"""

import inspect
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import keras
import numpy as np

from keras_masking.contract.case import Case
from keras_masking.contract.case import TargetError
from keras_masking.contract.harness.batches import Arrays
from keras_masking.contract.harness.batches import Batch
from keras_masking.names import did_you_mean


@dataclass(frozen=True)
class MaskArgument:
    """Where the mask goes, and in which form.

    Args:
        name: An argument of `call`, or "" for an element of the inputs.
        place: The place of that element among the flattened inputs.
        axes: The sizes of the example's axes between rows and steps.
        steps: The number of steps of the example; None without an example.
        values: What padding and real steps hold.
    """

    name: str = ""
    place: int | None = None
    axes: tuple[int, ...] = ()
    steps: int | None = None
    values: np.ndarray = field(default_factory=lambda: np.array([False, True]))

    def __str__(self) -> str:
        return f"`{self.name}`" if self.name else f"input {self.place}"

    def is_required(self, call: Callable[..., Any]) -> bool:
        """Whether `call` cannot do without it."""
        found = inspect.signature(call).parameters.get(self.name)
        if self.place is not None:
            return True
        return found is not None and found.default is found.empty

    def take_out(
        self, leaves: Arrays, others: frozenset[int]
    ) -> tuple[Arrays, frozenset[int]]:
        """The leaves without the mask, and the new places of `others`."""
        kept = [i for i in range(len(leaves)) if i != self.place]
        return (
            tuple(leaves[i] for i in kept),
            frozenset(kept.index(i) for i in others if i != self.place),
        )

    def array(self, batch: Batch) -> np.ndarray | None:
        """The mask of a batch in this form; None without a mask."""
        if batch.mask is None:
            return None
        rows, steps = batch.mask.shape
        middle = [steps if n == self.steps else n for n in self.axes]
        mask = batch.mask.reshape(rows, *[1] * len(middle), steps)
        mask = np.broadcast_to(mask, (rows, *middle, steps))
        return self.values[mask.astype(int)]


def find(case: Case) -> MaskArgument | None:
    """Where the layer of a case takes its mask; None for Keras' mask."""
    where, inputs = case.mask_argument, case.inputs
    if where is None:
        return None
    if isinstance(where, str) and not _has_key(inputs, where):
        return MaskArgument(
            name=where, **_form(case, case.call_kwargs.get(where))
        )
    found = places(inputs, [where], "mask_argument")
    if len(found) != 1:
        raise TargetError(
            "`mask_argument` must name one array. Received: "
            f"mask_argument={where!r}, which has {len(found)}."
        )
    return MaskArgument(place=min(found), **_form(case, inputs[where]))


def unmasked(case: Case, argument: MaskArgument | None) -> frozenset[int]:
    """The flattened inputs that get no mask, by their places.

    Those that are not sequences, and those that are not as long as the mask.
    """
    if case.inputs is None:
        return frozenset()
    shapes = [np.shape(x) for x in keras.tree.flatten(case.inputs)]
    every = range(len(shapes))
    of = frozenset(every)
    if case.sequences is not None:
        of = places(case.inputs, case.sequences, "sequences")
    if argument is not None:
        of = of - {argument.place}
        steps = argument.steps or next(
            (shapes[i][1] for i in sorted(of) if len(shapes[i]) > 1), None
        )
        of = frozenset(i for i in of if shapes[i][1:2] == (steps,))
    return frozenset(every) - of


def places(inputs: Any, chosen: Sequence[Any], argument: str) -> frozenset[int]:
    """The leaves of the chosen elements, by their places when flattened."""
    several = isinstance(inputs, list | tuple | dict)
    known = list(inputs) if isinstance(inputs, dict) else []
    if several and not known:
        known = list(range(len(inputs)))
    if several and not chosen:
        raise TargetError(
            f"`{argument}` must name an input: without a sequence there is no "
            f"mask to check. Received: {argument}={chosen!r}, and `inputs` has "
            f"{known}."
        )
    if not several or not set(chosen) <= set(known):
        raise TargetError(
            f"`{argument}` names elements of `inputs`, by their positions in a "
            "list or tuple or their keys in a dict. Received: "
            f"{argument}={chosen!r}, and `inputs` is a "
            f"{type(inputs).__name__}" + (f" with {known}." if several else ".")
        )
    marked = [
        keras.tree.map_structure(lambda _, key=key: key in chosen, inputs[key])
        for key in known
    ]
    if isinstance(inputs, dict):
        # In the order in which Keras flattens it.
        flat = keras.tree.flatten(dict(zip(known, marked)))
    else:
        flat = keras.tree.flatten(marked)
    return frozenset(i for i, there in enumerate(flat) if there)


def _has_key(inputs: Any, key: str) -> bool:
    return isinstance(inputs, dict) and key in inputs


def _form(case: Case, example: Any) -> dict[str, Any]:
    if example is None:
        return {}
    example = np.asarray(example)
    if example.ndim < 2:
        raise TargetError(
            "The example of a mask has the axes (batch, ..., steps). Received: "
            f"mask_argument={case.mask_argument!r} of shape {example.shape}."
        )
    *middle, steps = example.shape[1:]
    return {"axes": middle, "steps": steps, "values": _values(example)}


def _values(example: np.ndarray) -> np.ndarray:
    """What padding and real steps hold: booleans, 0 and 1, or -inf and 0."""
    dtype = example.dtype
    if dtype == np.float64:
        dtype = np.dtype("float32")
    if dtype.kind != "f" or (example > 0).any():
        return np.array([0, 1], dtype)
    if not (example < 0).any():
        raise TargetError(
            "The example of a mask must hold a real step: True, 1, or 0 beside "
            "large negative numbers, for a mask that is added to scores. "
            f"Received: zeros of {example.dtype} only."
        )
    return np.array([example.min(), 0], dtype)


def check_name(case: Case, layer: Any) -> None:
    """Raises `TargetError` if `call` has no argument of that name."""
    found = find(case)
    if found is None or not found.name:
        return
    parameters = inspect.signature(layer.call).parameters
    kinds = [parameter.kind for parameter in parameters.values()]
    if found.name in parameters or inspect.Parameter.VAR_KEYWORD in kinds:
        return
    raise TargetError(
        f"`call` of {case.name} has no argument {found.name!r}, and `inputs` "
        f"no such key. Received: mask_argument={found.name!r}."
        + did_you_mean(found.name, parameters)
    )
