"""The layer calls of one run, with their inputs and outputs."""

import inspect
import warnings
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import keras
import numpy as np

from keras_masking._backends import is_concrete
from keras_masking._keras import get_mask
from keras_masking._types import Tensor
from keras_masking.layer_calls import names_a_mask


@dataclass(eq=False, repr=False)
class Slot:
    """An input or output of a call, and its mask at that time.

    `mask` of an input is the one that `call` got for it, if any.
    """

    tensor: Tensor
    carried: Tensor | None
    mask: Tensor | None = None
    axes: tuple[int, ...] | None = None  # the step axes, once they are known
    idle: bool = False  # an unused output of a call in a graph
    own: np.ndarray | None = None  # the mask it should have

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.tensor.shape)


@dataclass(eq=False, repr=False)
class Call:
    """One call of a layer, or of an operation in a graph."""

    layer: Any
    parent: "Call | None"
    key: tuple[Any, ...]  # the same in every run of the model
    args: Any
    kwargs: dict[str, Any]
    inputs: list[Slot]  # without masks that were passed as arguments
    explicit: list[Tensor]  # masks passed as arguments
    bound: dict[str, Any] = field(default_factory=dict)  # what `call` got
    outputs: list[Slot] = field(default_factory=list)
    returned: Any = None
    deleted: list[Slot] = field(default_factory=list)
    error: Exception | None = None
    children: list["Call"] = field(default_factory=list)
    times: int = 1
    warned: bool = False

    @property
    def operation(self) -> bool:
        return not isinstance(self.layer, keras.layers.Layer)

    @property
    def path(self) -> list[str]:
        """The names of the enclosing calls, and its own."""
        outer = self.parent.path if self.parent else []
        return [*outer, self.layer.name]

    def within(self, other: "Call") -> bool:
        """Whether this call is `other`, or inside it."""
        return self.key[: len(other.key)] == other.key

    def walk(self) -> Iterator["Call"]:
        """This call and those inside it, in the order in which they begin."""
        yield self
        for child in self.children:
            yield from child.walk()


class Watch:
    """The calls of one run. `before` and `after` are called with each."""

    def __init__(
        self,
        before: Callable[[Call], None] | None = None,
        after: Callable[[Call], None] | None = None,
    ) -> None:
        self.root: Call | None = None
        self.warnings: list[warnings.WarningMessage] = []
        self._before = before
        self._after = after
        self._stack: list[Call] = []
        self._made_by: dict[int, Any] = {}  # the layer by the id of its output
        self._counts: Counter[tuple[Any, ...]] = Counter()

    def called(
        self, original: Callable[..., Any], layer: Any, args: Any, kwargs: Any
    ) -> Any:
        """Calls `layer`, and records its inputs and outputs."""
        here = self._stack[-1] if self._stack else None
        if here and here.layer is layer and not here.bound and not here.outputs:
            # How Keras gets from `Layer.__call__` to `call`.
            self._receives(here, args, kwargs)
            return original(layer, *args, **kwargs)
        tensors = _tensors((args, kwargs))
        # Without values, shapes are inferred or a graph is traced.
        known = bool(tensors) and all(map(is_concrete, tensors))
        is_call = isinstance(layer, keras.layers.Layer) or in_graph(layer, here)
        if not known or not is_call:
            return original(layer, *args, **kwargs)
        call = self._enter(here, layer, args, kwargs)
        known_warnings = len(self.warnings)
        try:
            returned = original(layer, *args, **kwargs)
        except Exception as error:
            call.error = error
            raise
        finally:
            self._stack.pop()
        call.warned = any(
            _destroys(w, layer.name) for w in self.warnings[known_warnings:]
        )
        self._leave(call, returned)
        return returned

    def _enter(
        self, parent: Call | None, layer: Any, args: Any, kwargs: Any
    ) -> Call:
        key = parent.key if parent else ()
        spot = (*key, id(layer))
        self._counts[spot] += 1
        given = _arguments(layer, args, kwargs)
        masks = _tensors([v for k, v in given.items() if names_a_mask(k)])
        data = _tensors([v for k, v in given.items() if not names_a_mask(k)])
        slots = [Slot(x, get_mask(x), get_mask(x)) for x in data]
        call = Call(
            layer,
            parent,
            (*key, (id(layer), self._counts[spot])),
            args,
            kwargs,
            slots,
            masks,
        )
        if parent:
            parent.children.append(call)
        else:
            self.root = call
        if self._before:
            self._before(call)
        self._stack.append(call)
        return call

    def _receives(self, call: Call, args: Any, kwargs: Any) -> None:
        """Records what `call` gets, and which mask belongs to which input."""
        call.bound = bound = _arguments(call.layer, args, kwargs)
        call.bound |= {k: v for k, v in kwargs.items() if k == "training"}
        place, first = 0, True
        for name, value in bound.items():
            if names_a_mask(name):
                continue
            count = len(_tensors(value))
            slots = call.inputs[place : place + count]
            mask = bound.get(f"{name}_mask")
            if mask is None and first:
                mask = bound.get("mask")
            masks = _tensors(mask)
            if count and len(masks) == count:
                for slot, own in zip(slots, masks):
                    slot.mask = own
            place, first = place + count, False

    def _leave(self, call: Call, returned: Any) -> None:
        call.returned = returned
        tensors = [x for x in _tensors(returned) if is_concrete(x)]
        call.outputs = [Slot(x, get_mask(x), get_mask(x)) for x in tensors]
        for slot in call.inputs:
            if slot.carried is not None and get_mask(slot.tensor) is None:
                call.deleted.append(slot)
        if self._after:
            self._after(call)
            for slot in call.outputs:
                slot.carried = slot.mask = get_mask(slot.tensor)
        if not self._folds(call):
            for slot in call.outputs:
                self._made_by.setdefault(id(slot.tensor), call.layer)

    def _folds(self, call: Call) -> bool:
        """Merges the calls of a cell that a loop calls at each step."""
        siblings = call.parent.children if call.parent else [call]
        if len(siblings) < 2 or siblings[-2].layer is not call.layer:
            return False
        slots = [*siblings[-2].inputs, *call.inputs, *call.outputs]
        makers = [self._made_by.get(id(s.tensor)) for s in call.inputs]
        if any(s.mask is not None for s in slots) or any(
            maker is not None and maker is not call.layer for maker in makers
        ):
            return False
        siblings.pop()
        siblings[-1].times += 1
        return True


def _tensors(structure: Any) -> list[Any]:
    flat = keras.tree.flatten(structure)
    return [x for x in flat if hasattr(x, "shape") and hasattr(x, "dtype")]


def _arguments(layer: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments by their names in `call`."""
    known = {k: v for k, v in kwargs.items() if k != "training"}
    try:
        signature = inspect.signature(layer.call)
        bound = signature.bind_partial(*args, **known)
    except (
        TypeError,
        ValueError,
    ):  # Keras takes `mask` even if `call` does not
        return {str(i): x for i, x in enumerate(args)} | known
    given: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        given |= (
            value if kind is inspect.Parameter.VAR_KEYWORD else {name: value}
        )
    return given


def in_graph(layer: Any, parent: Call | None) -> bool:
    """Whether a Functional model calls it as part of its graph."""
    known = getattr(parent.layer, "operations", ()) if parent else ()
    return any(layer is one for one in known)


def _destroys(warning: warnings.WarningMessage, name: str) -> bool:
    text = str(warning.message)
    return "destroy the mask" in text and f"'{name}'" in text
