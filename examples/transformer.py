"""A transformer encoder that answers the same with more padding.

    KERAS_BACKEND=jax python examples/transformer.py

Two blocks of self-attention and a feed-forward network, each added to what went
in and normalized after it (Vaswani et al. 2017), then the mean over the steps.
It tells nine speakers apart (Japanese Vowels), built once of plain Keras layers
and once of ours, from the same initial weights.

The plain one does what it can: its layer of positions lets the mask through,
and attention, addition, normalization and pooling all take one. But
`MultiHeadAttention` deletes the mask of the tensor it is called with: the first
block attends to real steps only, the second to padding as well, in training
too. (Handed the mask as `attention_mask`, the second keeps its word with
padding on the right.) Positions counted by column move with padding on the
left, and NaN in the padding spreads.

Ours leave the mask where it is, count the real steps, and never look at what
stands at the others.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from rich.console import Console
from side_by_side import arguments
from side_by_side import both_sides
from side_by_side import compare
from side_by_side import load
from side_by_side import show

from keras_masking import layers

FEATURES, HEADS, HIDDEN, BLOCKS = 32, 4, 64, 2


class Positions(keras.layers.Layer):
    """Adds sines and cosines of the column, and lets the mask through."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        column = ops.arange(ops.shape(inputs)[1], dtype="float32")[:, None]
        feature = np.arange(inputs.shape[2])
        slowness = 10000.0 ** (feature // 2 * 2 / len(feature))
        angles = column / ops.convert_to_tensor(slowness, "float32")
        sines = ops.where(feature % 2, ops.cos(angles), ops.sin(angles))
        return inputs + sines


def positions(x: Any, masked: bool) -> Any:
    """The input and, added to it, where each step stands."""
    if not masked:
        return Positions()(x)
    return layers.MaskedAdd()([x, layers.MaskedSinePositionEncoding()(x)])


def block(x: Any, masked: bool) -> Any:
    """Attention and a feed-forward network; after each, add and normalize."""
    attend, add = (
        (layers.MaskedMultiHeadAttention, layers.MaskedAdd)
        if masked
        else (keras.layers.MultiHeadAttention, keras.layers.Add)
    )
    y = attend(HEADS, FEATURES // HEADS, dropout=0.1)(x, x)
    x = keras.layers.LayerNormalization()(add()([x, y]))
    y = keras.layers.Dense(HIDDEN, activation="relu")(x)
    y = keras.layers.Dense(FEATURES)(y)
    y = keras.layers.Dropout(0.1)(y)
    return keras.layers.LayerNormalization()(add()([x, y]))


def build(masked: bool) -> keras.Model:
    """The classifier, of our layers or of plain Keras layers."""
    pool = (
        layers.MaskedGlobalAveragePooling1D
        if masked
        else keras.layers.GlobalAveragePooling1D
    )
    inputs = keras.Input((None, 12), name="steps")
    mask = keras.Input((None,), dtype="bool", name="mask")
    x = layers.AttachMask()(inputs, mask=mask)
    x = positions(keras.layers.Dense(FEATURES)(x), masked)
    for _ in range(BLOCKS):
        x = block(x, masked)
    # Through the blocks the mask has come to ours; the other has to be told.
    x = pool()(x) if masked else pool()(x, mask=mask)
    outputs = keras.layers.Dense(9, activation="softmax")(x)
    return keras.Model([inputs, mask], outputs)


def run(
    epochs: int = 30, seed: int = 0, console: Console | None = None
) -> dict[str, dict[str, Any]]:
    """Trains and measures both; for each, `accuracy` and `drift`."""
    *_, zeros = load()
    return compare(build, both_sides(zeros, (0, 20)), epochs, seed, console)


def main() -> None:
    """Runs the example from the command line."""
    given, console = arguments(__doc__), Console()
    results = run(given.epochs, given.seed, console)
    show(results, console)


if __name__ == "__main__":
    main()
