"""The calls of layers in one run, and what went in and came out."""

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
    """A tensor that went into a call or came out, and the mask it had then.

    `mask` of an input is the one that `call` got for it, if it got one.
    """

    tensor: Tensor
    carried: Tensor | None
    mask: Tensor | None = None
    axes: tuple[int, ...] | None = None  # those of steps, once they are known
    idle: bool = False  # an output of a call in a graph that nothing takes
    own: np.ndarray | None = None  # the mask it ought to have

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
    explicit: list[Tensor]  # those
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
        """The names of the calls that it stands in, and its own."""
        outer = self.parent.path if self.parent else []
        return [*outer, self.layer.name]

    def within(self, other: "Call") -> bool:
        """Whether this call is `other`, or is made by it."""
        return self.key[: len(other.key)] == other.key

    def walk(self) -> Iterator["Call"]:
        """This call and those it makes, in the order in which they begin."""
        yield self
        for child in self.children:
            yield from child.walk()


class Watch:
    """The calls of one run. `before` and `after` are told of each."""

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
        self._made_by: dict[int, Any] = {}  # ids of tensors: the layer
        self._counts: Counter[tuple[Any, ...]] = Counter()

    def called(
        self, original: Callable[..., Any], layer: Any, args: Any, kwargs: Any
    ) -> Any:
        """Runs `layer`, and writes down what went in and came out."""
        here = self._stack[-1] if self._stack else None
        if here and here.layer is layer and not here.bound and not here.outputs:
            # Keras' own way from `Layer.__call__` to `call`.
            self._receives(here, args, kwargs)
            return original(layer, *args, **kwargs)
        tensors = _tensors((args, kwargs))
        # Where shapes are inferred or a graph is traced there is no number.
        known = bool(tensors) and all(map(is_concrete, tensors))
        ours = isinstance(layer, keras.layers.Layer) or in_graph(layer, here)
        if not known or not ours:
            return original(layer, *args, **kwargs)
        call = self._enter(here, layer, args, kwargs)
        told = len(self.warnings)
        try:
            returned = original(layer, *args, **kwargs)
        except Exception as error:
            call.error = error
            raise
        finally:
            self._stack.pop()
        call.warned = any(
            _destroys(w, layer.name) for w in self.warnings[told:]
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
        """Notes what `call` gets, and which mask belongs to which input."""
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
        """A cell that a loop calls at each step is one call, many times."""
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
    """The arguments by the names that `call` has for them."""
    known = {k: v for k, v in kwargs.items() if k != "training"}
    try:
        signature = inspect.signature(layer.call)
        bound = signature.bind_partial(*args, **known)
    except (TypeError, ValueError):  # Keras takes `mask` though `call` doesn't
        return {str(i): x for i, x in enumerate(args)} | known
    given: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = signature.parameters[name].kind
        given |= (
            value if kind is inspect.Parameter.VAR_KEYWORD else {name: value}
        )
    return given


def in_graph(layer: Any, parent: Call | None) -> bool:
    """Whether a Functional model calls it as its graph says, and not code."""
    known = getattr(parent.layer, "operations", ()) if parent else ()
    return any(layer is one for one in known)


def _destroys(warning: warnings.WarningMessage, name: str) -> bool:
    said = str(warning.message)
    return "destroy the mask" in said and f"'{name}'" in said
