"""Puts the masks that were found on the tensors of a new model."""

from collections.abc import Callable
from typing import Any

from keras_masking import layers
from keras_masking.conversion.mask_inputs import Found


def attacher(
    found: Found,
    tensors: dict[int, Any],
    nodes: list[Any],
    attached: list[tuple[str, str]],
) -> Callable[[list[Any]], None]:
    """A function that attaches masks to the new tensors of old ones.

    Args:
        found: The masks of the old tensors.
        tensors: The new tensors, by the id of the old one.
        nodes: The calls of the old model.
        attached: Gets the name of each mask and of what it masks.
    """
    taken = {node.operation.name for node in nodes}
    made: dict[int, Any] = {}  # a layer for each mask
    done: set[int] = set()

    def attach(old: list[Any]) -> None:
        for x in old:
            mask = found.masks.get(id(x))
            if mask is None or id(x) in done:
                continue
            done.add(id(x))
            target, name = found.names[id(x)]
            if id(mask) not in made:
                own = f"attach_{name}"
                while own in taken:
                    own += "_"
                taken.add(own)
                made[id(mask)] = layers.AttachMask(name=own)
            attached.append((name, target))
            tensors[id(x)] = made[id(mask)](
                tensors[id(x)], mask=tensors[id(mask)]
            )

    return attach
