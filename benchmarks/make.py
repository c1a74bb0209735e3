"""Contenders in a line: layers and operations, with and without a mask.

A layer is a text, as one would write it. What is read has names in `Batch`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from benchmarks.batch import IDS
from benchmarks.row import Contender
from benchmarks.row import Maker
from benchmarks.row import Row
from keras_masking import layers
from keras_masking import ops

Call = Callable[..., Any]
# Ways to call a layer: of the layer, its inputs, and keywords, "mask" or none.
CALLS: dict[str, Call] = {
    "single": lambda layer, x, mask: layer(x, **mask),
    "merged": lambda layer, x, y, mask: layer(
        [x, y], **{name: [m, m] for name, m in mask.items()}
    ),
    "itself": lambda layer, x, mask: CALLS["merged"](layer, x, x, mask),
    "attending": lambda layer, x, mask: layer(
        x, x, **{name: m for name in MASKS for m in mask.values()}
    ),
}
MASKS = ("query_mask", "value_mask", "key_mask")


def build(text: str, b: Any) -> Any:
    """A layer of Keras' or of ours."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(b.dtype)
    _, steps, features = b.shape
    try:
        text = text.format(steps=steps, features=features, ids=IDS)
        return eval(text, {**vars(keras.layers), **vars(layers)})
    finally:
        keras.config.set_dtype_policy(before)


def layer(
    text: str, call: Call | str = "single", masked: bool = True, read: str = ""
) -> Maker:
    """A layer, called with the mask that ends its inputs, or without it."""
    read = read or ("x other mask" if call == "merged" else "x mask")

    def make(b: Any) -> Contender:
        made, way = build(text, b), CALLS.get(call, call)

        def run(*xs: Any) -> Any:
            return way(made, *xs[:-1], {"mask": xs[-1]} if masked else {})

        inside = made if isinstance(made, list) else [made]
        return Contender(run, b.read(read), inside)

    return Maker(text, make)


unmasked = partial(layer, masked=False)


def drop_in(
    name: str, text: str, keras: str, call: str = "single", **options: Any
) -> Row:
    """A layer of Keras', and ours of the same configuration."""
    mine = layer(options.pop("ours", f"Masked{text}"), call)
    theirs = layer(text, call) if keras == "with the mask" else None
    return Row(name, mine, unmasked(text, call), theirs, keras, **options)


def function(call: Call, text: str = "", read: str = "x mask") -> Maker:
    return Maker(text, lambda b: Contender(call, b.read(read)))


def plain(call: Call, *args: Any, **config: Any) -> Maker:
    """A function that is given no mask."""
    return function(lambda x, m: call(x, *args, **config))


def op(kind: str, *args: Any, of_mask: bool = False) -> Maker:
    """An operation of ours, on a batch and its mask or on that alone."""

    def call(*inputs: Any) -> Any:
        return getattr(ops, kind)(*inputs[of_mask:], *args)

    return function(call, f"{kind}{args or ''}")
