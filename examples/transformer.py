"""A transformer encoder whose output does not depend on the padding.

    KERAS_BACKEND=jax python examples/transformer.py

Two blocks of self-attention and a feed-forward network, each with a residual
connection and a normalization after it (Vaswani et al. 2017), then the mean
over the steps. The model identifies nine speakers (Japanese Vowels). It is
built once with plain Keras layers and once with our layers, from the same
initial weights.

The plain model does what it can: its position layer passes the mask on, and
attention, addition, normalization and pooling all take one. But
`MultiHeadAttention` deletes the mask of the tensor it is called with: the first
block attends only to real steps, the second also to padding, in training too.
(If the mask is passed as `attention_mask`, the second block is right with
padding on the right.) Positions that count columns move with padding on the
left, and NaN in the padding spreads.

Our layers keep the mask, count real steps only, and ignore the values at all
other steps.
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
    """Adds sines and cosines of the column, and passes the mask on."""

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
    """The input plus an encoding of the position of each step."""
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
    """The classifier, with our layers or with plain Keras layers."""
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
    # Our layers passed the mask on; the plain pooling needs it explicitly.
    x = pool()(x) if masked else pool()(x, mask=mask)
    outputs = keras.layers.Dense(9, activation="softmax")(x)
    return keras.Model([inputs, mask], outputs)


def run(
    epochs: int = 30, seed: int = 0, console: Console | None = None
) -> dict[str, dict[str, Any]]:
    """Trains and measures both models: `accuracy` and `drift` of each."""
    *_, zeros = load()
    return compare(build, both_sides(zeros, (0, 20)), epochs, seed, console)


def main() -> None:
    """Runs the example from the command line."""
    given, console = arguments(__doc__), Console()
    results = run(given.epochs, given.seed, console)
    show(results, console)


if __name__ == "__main__":
    main()
