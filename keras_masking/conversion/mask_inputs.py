"""Masks that a model uses as plain tensors, and the sequences they belong to.

Many models take a `padding_mask` as an input and hand it to the layers that
need it. Such a mask becomes a Keras mask if `AttachMask` puts it on the
sequences, at the tensors that are found here.
"""

from dataclasses import dataclass
from dataclasses import field
from typing import Any

import keras

from keras_masking._keras import carried_mask
from keras_masking._keras import get_mask
from keras_masking._keras import graph_calls
from keras_masking.conversion.calls import is_mask
from keras_masking.conversion.calls import is_model
from keras_masking.conversion.calls import keeps_steps
from keras_masking.conversion.calls import parameters
from keras_masking.conversion.calls import stepping
from keras_masking.conversion.calls import tensors_in

# Operations of one tensor that keep the meaning of a mask, and those that
# make a mask of steps.
KEEPING = {"Cast", "ConvertToTensor", "Copy", "StopGradient"}
RESHAPING = {"BroadcastTo", "ExpandDims", "GetItem", "Repeat", "Reshape"}
COMPARING = {"Equal", "Greater", "GreaterEqual", "Less", "LessEqual"}
COMPARING |= {"All", "Any", "NotEqual"}
LOGICAL = {"LogicalAnd", "LogicalNot", "LogicalOr"}
UNCLEAR = (
    "it may be a mask, which no layer passes on; if it is one, pass "
    "`mask_inputs={{{!r}: NAME}}`, with the input or layer that it masks"
)
AMBIGUOUS = (
    "it is a mask, but not clear of which sequence; pass "
    "`mask_inputs={{{!r}: NAME}}`, with the input or layer that it masks"
)


@dataclass
class Found:
    """What is known about the masks of a model.

    Attributes:
        masks: By the id of a tensor, the tensor that is its mask.
        names: By the id of a tensor in `masks`, its name and that of the mask.
        needed: The nodes that make the masks, by id.
        unclear: For each input that may be a mask, its name, and why it is
            not used as one.
    """

    masks: dict[int, Any] = field(default_factory=dict)
    names: dict[int, tuple[str, str]] = field(default_factory=dict)
    needed: set[int] = field(default_factory=set)
    unclear: list[tuple[str, str]] = field(default_factory=list)


class Graph:
    """The graph of a Functional model, read from its outputs."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.nodes = graph_calls(model)
        self.made_by = {id(y): n for n in self.nodes for y in n.outputs}
        self.inputs = {id(x): x for x in model.inputs}

    def found(self) -> Found:
        """The masks that the model uses, as far as that is clear."""
        found = Found()
        claims: dict[int, tuple[Any, Any, list[Any]]] = {}
        attached: set[int] = set()
        unclear: set[int] = set()
        for mask, data, sure in self.uses():
            root = self.root(mask)
            if root is None or not sure:
                unclear |= {id(mask)} & {*self.inputs}
            elif data is None:
                attached.add(id(root))
            else:
                claims.setdefault(id(mask), (mask, root, []))[2].extend(data)
        masks = {id(root) for _, root, _ in claims.values()}
        owners: dict[int, set[int]] = {}
        for mask, root, data in claims.values():
            if id(root) in attached:
                continue
            targets = [y for y in data if self.kind(y) == "Where"]
            for x in self.sequences(data, masks - {id(root)}, mask):
                targets += self.targets(x)
            for target in targets:
                owners.setdefault(id(target), set()).add(id(root))
                found.masks.setdefault(id(target), mask)
                found.names[id(target)] = self.name(target), self.name(root)
        for key, roots in owners.items():
            if len(roots) > 1:
                del found.masks[key], found.names[key]
        found.needed = self.ancestors(found.masks.values())
        used = {id(self.root(m)) for m in found.masks.values()} | attached
        for key, x in self.inputs.items():
            if key in used or not self.may_be_a_mask(x, key in unclear):
                continue
            why = AMBIGUOUS if key in masks else UNCLEAR
            found.unclear.append((self.name(x), why.format(self.name(x))))
        return found

    def uses(self) -> Any:
        """Each use of a mask of steps: it, the tensors it masks, if sure.

        The tensors are None if our layer already attaches the mask.
        """
        for node in self.nodes:
            layer, args = node.operation, node.arguments.args
            kwargs = dict(node.arguments.kwargs)
            if is_model(layer) and not isinstance(layer, keras.Sequential):
                yield from self.uses_inside(layer, tensors_in(args[:1]))
            elif isinstance(layer, keras.layers.Layer):
                if carried_mask(node) is not None:
                    del kwargs["mask"]
                names = parameters(layer.call)
                yield from self.uses_by(layer, dict(zip(names, args)) | kwargs)
            given = tensors_in((args, kwargs))
            if type(layer).__name__ == "Multiply":
                yield from self.selections(given, given)
            elif type(layer).__name__ == "Where" and self.clears(args):
                # The operation loses the mask, so its output needs it too.
                yield from self.selections(given[:1], [args[1], *node.outputs])

    def uses_by(self, layer: Any, named: dict[str, Any]) -> Any:
        """The uses in the arguments of a layer."""
        attaches = type(layer).__name__ == "AttachMask"
        for name, value in named.items():
            if not is_mask(name) and name != "attention_mask":
                continue
            own, sure = masked_by(name, named)
            shape = getattr(value, "shape", (None,))
            # Keys are along its last axis.
            sure = sure and (name != "attention_mask" or shape[-1] != 1)
            masks = keras.tree.flatten(value)
            data = keras.tree.flatten(own)
            pairs = [(m, [x]) for m, x in zip(masks, data)]
            if len(masks) != len(data):
                pairs = [(m, data) for m in masks]
            for mask, those in pairs:
                masked = tensors_in(those)
                leaf = self.steps_mask(mask)
                if leaf is None or any(get_mask(x) is mask for x in masked):
                    continue
                yield leaf, None if attaches else masked, sure

    def uses_inside(self, model: Any, given: list[Any]) -> Any:
        """The uses in a nested model of what it is given."""
        inner = Graph(model)
        found = inner.found()
        outer = {id(x): y for x, y in zip(model.inputs, given)}
        for mask in {id(m): m for m in found.masks.values()}.values():
            leaf = self.steps_mask(outer.get(id(inner.root(mask))))
            if leaf is not None and id(mask) in inner.inputs:
                yield leaf, [x for x in given if x is not leaf], True

    def selections(self, masks: list[Any], data: list[Any]) -> Any:
        """`x * mask[..., None]` and the like: perhaps a mask."""
        for x in masks:
            leaf = self.steps_mask(x)
            those = [y for y in data if y is not x and len(y.shape) > 2]
            if leaf is not None and those:
                own = leaf is self.root(leaf) and looks_like_a_mask(leaf)
                yield leaf, those, own or leaf.dtype == "bool"

    def clears(self, args: Any) -> bool:
        """Whether `where` replaces what is False by a constant."""
        constant = [
            not tensors_in(x) or str(self.kind(x)).endswith("Like")
            for x in args[1:3]
        ]
        return constant == [False, True]

    def steps_mask(self, x: Any) -> Any:
        """The mask of steps `(batch, steps)` that `x` is made of, else None."""
        while isinstance(x, keras.KerasTensor):
            node, kind = self.made_by.get(id(x)), self.kind(x)
            if len(x.shape) == 2 and kind not in KEEPING:
                return x if self.root(x) is not None else None
            one = [] if node is None else node.input_tensors
            longer = len(one) == 1 and len(one[0].shape) < len(x.shape)
            same = kind in KEEPING or (kind in COMPARING and len(x.shape) > 2)
            if not (same or (kind in RESHAPING and longer)) or len(one) != 1:
                return None
            x = one[0]
        return None

    def root(self, x: Any) -> Any:
        """The input that a mask of all its steps is computed from, or None."""
        if id(x) in self.inputs:
            return x
        node = self.made_by.get(id(x))
        making = KEEPING | COMPARING | LOGICAL
        if node is None or type(node.operation).__name__ not in making:
            return None
        roots = {id(y): y for y in map(self.root, node.input_tensors)}
        return roots.popitem()[1] if len(roots) == 1 else None

    def sequences(self, data: list[Any], others: set[int], mask: Any) -> Any:
        """The inputs that have the steps of `data`."""
        found: dict[int, Any] = {}
        seen: set[int] = set()
        todo = [*data]
        while todo:
            x = todo.pop()
            if id(x) in seen or id(x) in others or x is mask:
                continue
            seen.add(id(x))
            if id(x) in self.inputs:
                found[id(x)] = x
            elif id(x) in self.made_by and (len(x.shape) > 2 or is_ids(x)):
                todo += stepping(self.made_by[id(x)])
        steps = mask.shape[1]
        return [
            x
            for x in found.values()
            if len(x.shape) > 1 and x.shape[1] == steps
        ]

    def targets(self, x: Any) -> list[Any]:
        """The tensors at which a sequence can carry a mask: itself, or vectors.

        An embedding does not pass on the mask of its ids.
        """
        if len(x.shape) > 2 and not is_ids(x):
            return [] if get_mask(x) is not None else [x]
        found = []
        for node in self.nodes:
            layer = node.operation
            takes = any(x is y for y in node.input_tensors)
            if not takes or not isinstance(layer, keras.layers.Layer):
                continue
            for y in node.outputs:
                new = get_mask(y) is None and len(y.shape) == len(x.shape) + 1
                if new and not is_ids(y) and keeps_steps(layer, node):
                    found.append(y)
        return found

    def may_be_a_mask(self, x: Any, used: bool) -> bool:
        """Whether an input beside sequences looks like a mask of steps."""
        others = [y for y in self.model.inputs if y is not x]
        beside = any(len(y.shape) > 1 for y in others)
        fits = len(x.shape) == 2 and x.shape[1] != 1 and beside
        return fits and (used or looks_like_a_mask(x))

    def ancestors(self, tensors: Any) -> set[int]:
        """The ids of the nodes that `tensors` are computed by."""
        found: set[int] = set()
        todo = [*tensors]
        while todo:
            node = self.made_by.get(id(todo.pop()))
            if node is not None and id(node) not in found:
                found.add(id(node))
                todo += node.input_tensors
        return found

    def kind(self, x: Any) -> str | None:
        """The operation that makes a tensor, by name; None for an input."""
        node = self.made_by.get(id(x))
        return None if node is None else type(node.operation).__name__

    def name(self, x: Any) -> str:
        node = self.made_by.get(id(x))
        return str(x.name if node is None else node.operation.name)


def masked_by(name: str, named: dict[str, Any]) -> tuple[Any, bool]:
    """What the argument `name` of a call masks, and whether it is clear."""
    first = next(iter(named.values()), None)
    of = name.removesuffix("mask").rstrip("_")
    if of in ("", "padding"):
        return first, True
    if of == "attention":
        return named.get("value", first), True
    of = of.removesuffix("_padding")
    own = [
        value
        for key, value in named.items()
        if key == of or (key.startswith(f"{of}_") and not key.endswith("_mask"))
    ]
    # PyTorch's `key_padding_mask` is True at padding.
    clear = len(own) == 1 and name != "key_padding_mask"
    return (own[0] if own else first), clear


def is_ids(x: Any) -> bool:
    return str(x.dtype).startswith(("int", "uint", "bool"))


def looks_like_a_mask(x: Any) -> bool:
    """Whether an input is a mask, by its dtype and name."""
    return is_ids(x) and (x.dtype == "bool" or "mask" in x.name)
