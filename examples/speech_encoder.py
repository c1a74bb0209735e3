"""Encodes speech of any length as one vector, whatever the padding.

    KERAS_BACKEND=jax python examples/speech_encoder.py

A small speaker encoder. Strided convolutions with group normalization shorten a
recording to a quarter of its steps. Statistics pooling, the mean and deviation
of each feature over time, makes one vector from it (as x-vectors do, Snyder et
al. 2018), from which a last layer identifies nine speakers (Japanese Vowels).

For comparison, the same network of plain Keras layers is trained from the same
initial weights. It does what is possible without our layers: mean and deviation
are computed over real steps, with the mask shortened like the steps. But
padding still enters at three places. `Conv1D` reads it at the end of a
recording, `GroupNormalization` counts it in its statistics, and the padding
that a strided `"same"` convolution adds depends on the length of the batch, so
that its windows shift.

No mask can fix one thing: a strided layer starts at the first column. Padding
before a recording changes nothing if its length is a multiple of the total
stride, here 4; otherwise the windows contain other steps. The last row shows
it.
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from rich.console import Console
from side_by_side import arguments
from side_by_side import compare
from side_by_side import load
from side_by_side import show

from keras_masking import layers

FILTERS, STRIDES = 64, (2, 2)
TOTAL_STRIDE = 4
SHIFTED = "left, by any number of steps"


def statistics(x: Any, mask: Any) -> Any:
    """Mean and deviation over real steps, in plain Keras."""
    mask = mask[:, ::TOTAL_STRIDE]
    mean = keras.layers.GlobalAveragePooling1D()(x, mask=mask)
    square = keras.layers.GlobalAveragePooling1D()(x * x, mask=mask)
    # A smaller variance is rounding, where the root has a steep slope.
    deviation = ops.sqrt(ops.maximum(square - mean * mean, 1e-6))
    return keras.layers.Concatenate()([mean, deviation])


def build(masked: bool) -> keras.Model:
    """Encoder and classifier, with our layers or with plain Keras layers."""
    conv, normalization = (
        (layers.MaskedConv1D, layers.MaskedGroupNormalization)
        if masked
        else (keras.layers.Conv1D, keras.layers.GroupNormalization)
    )
    inputs = keras.Input((None, 12), name="steps")
    mask = keras.Input((None,), dtype="bool", name="mask")
    x = layers.AttachMask()(inputs, mask=mask)
    for strides in STRIDES:
        x = conv(FILTERS, 5, strides=strides, padding="same")(x)
        x = normalization(groups=8)(x)
        x = keras.layers.Activation("relu")(x)
    x = layers.StatisticsPooling1D()(x) if masked else statistics(x, mask)
    x = keras.layers.Dropout(0.2)(x)
    outputs = keras.layers.Dense(9, activation="softmax")(x)
    return keras.Model([inputs, mask], outputs)


def paddings(zeros: np.ndarray) -> dict[str, dict[str, Any]]:
    """Kinds of padding: the arguments of `pad`."""
    left = {"padding": "pre", "multiple": TOTAL_STRIDE}
    result: dict[str, dict[str, Any]] = {}
    for extra in (0, 1, 5, 20):
        result[f"right, {extra} more"] = {"extra": extra}
    result["right, then standardized"] = {"fill": zeros}
    result["right, holding NaN"] = {"fill": np.nan}
    for extra in (0, 20):
        name = f"left, by multiples of {TOTAL_STRIDE}, {extra} more"
        result[name] = {**left, "extra": extra}
    result[SHIFTED] = {"padding": "pre"}
    return result


def run(
    epochs: int = 30, seed: int = 0, console: Console | None = None
) -> dict[str, dict[str, Any]]:
    """Trains and measures both models: `accuracy` and `drift` of each."""
    *_, zeros = load()
    return compare(build, paddings(zeros), epochs, seed, console)


def main() -> None:
    """Runs the example from the command line."""
    given, console = arguments(__doc__), Console()
    results = run(given.epochs, given.seed, console)
    show(results, console)


if __name__ == "__main__":
    main()
