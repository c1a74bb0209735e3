"""A dilated temporal convolutional network that ignores padding.

    KERAS_BACKEND=jax python examples/dilated_tcn.py

Three residual blocks of two causal convolutions each (Bai, Kolter and Koltun
2018), dilated by 1, 2 and 4: the last step sees the 28 before it, which covers
the longest recording. The network identifies nine speakers (Japanese Vowels).
It is built once with plain Keras layers and once with our layers, from the same
initial weights.

A causal window only looks back. So padding *after* a recording enters neither
network, and plain Keras gives the same output there too, as long as the mask is
passed to the pooling layer explicitly. Padding *before* the recording, which is
common for causal networks, enters plain Keras: after the first convolution its
zeros have become biases, and real steps look back at those.

`keras.layers.Add` of two masked tensors keeps their mask, so the residual
connections need none of our layers.
"""

from typing import Any

import keras
from rich.console import Console
from side_by_side import arguments
from side_by_side import both_sides
from side_by_side import compare
from side_by_side import load
from side_by_side import show

from keras_masking import layers

FILTERS, KERNEL, DILATIONS = 48, 3, (1, 2, 4)
RECEPTIVE_FIELD = 1 + 2 * (KERNEL - 1) * sum(DILATIONS)


def block(x: Any, conv: type[keras.layers.Layer], dilation: int) -> Any:
    """Two causal convolutions with a residual connection."""
    y = x
    for _ in range(2):
        y = conv(
            FILTERS,
            KERNEL,
            padding="causal",
            dilation_rate=dilation,
            activation="relu",
        )(y)
        y = keras.layers.SpatialDropout1D(0.1)(y)
    if x.shape[-1] != FILTERS:
        x = conv(FILTERS, 1)(x)
    return keras.layers.Add()([x, y])


def build(masked: bool) -> keras.Model:
    """The classifier, with our layers or with plain Keras layers."""
    conv = layers.MaskedConv1D if masked else keras.layers.Conv1D
    pool = (
        layers.MaskedGlobalAveragePooling1D
        if masked
        else keras.layers.GlobalAveragePooling1D
    )
    inputs = keras.Input((None, 12), name="steps")
    mask = keras.Input((None,), dtype="bool", name="mask")
    x = layers.AttachMask()(inputs, mask=mask)
    for dilation in DILATIONS:
        x = block(x, conv, dilation)
    # Our layers passed the mask on; the plain pooling needs it explicitly.
    x = pool()(x) if masked else pool()(x, mask=mask)
    outputs = keras.layers.Dense(9, activation="softmax")(x)
    return keras.Model([inputs, mask], outputs)


def run(
    epochs: int = 30, seed: int = 0, console: Console | None = None
) -> dict[str, dict[str, Any]]:
    """Trains and measures both models: `accuracy` and `drift` of each."""
    *_, zeros = load()
    return compare(
        build, both_sides(zeros, (0, 1, 5, 20)), epochs, seed, console
    )


def main() -> None:
    """Runs the example from the command line."""
    given, console = arguments(__doc__), Console()
    console.print(f"receptive field: {RECEPTIVE_FIELD} steps")
    results = run(given.epochs, given.seed, console)
    show(results, console)


if __name__ == "__main__":
    main()
