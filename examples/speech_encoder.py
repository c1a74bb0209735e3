"""Speech of any length becomes one vector, whatever the padding.

    KERAS_BACKEND=jax python examples/speech_encoder.py

The shape of a speaker encoder, in small: strided convolutions with group
normalization shorten a recording to a quarter of its steps, and statistics
pooling, the mean and deviation of each feature over time, makes one vector of
it (as x-vectors do, Snyder et al. 2018), from which a last layer tells nine
speakers apart (Japanese Vowels).

Beside it, from the same initial weights, the same network of plain Keras
layers, with all that can be done for it by hand: its mean and deviation are
taken over real steps, with the mask shortened as the steps are. Still padding
enters it at three places: `Conv1D` meets it at the end of a recording,
`GroupNormalization` counts it in its statistics, and a strided `"same"`
convolution splits its own padding by the length of the batch, so that its
windows shift.

What no mask mends: a strided layer starts at the first column. Padding before
a recording changes nothing if it is a multiple of the total stride, here 4;
moved by one step, the windows hold other steps. The last row shows it.
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
    """Mean and deviation over real steps, by hand."""
    mask = mask[:, ::TOTAL_STRIDE]
    mean = keras.layers.GlobalAveragePooling1D()(x, mask=mask)
    square = keras.layers.GlobalAveragePooling1D()(x * x, mask=mask)
    # Below that a variance is rounding, and the slope of a root is steep.
    deviation = ops.sqrt(ops.maximum(square - mean * mean, 1e-6))
    return keras.layers.Concatenate()([mean, deviation])


def build(masked: bool) -> keras.Model:
    """The encoder and a classifier, of our layers or of plain Keras layers."""
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
    """Trains and measures both; for each, `accuracy` and `drift`."""
    *_, zeros = load()
    return compare(build, paddings(zeros), epochs, seed, console)


def main() -> None:
    """Runs the example from the command line."""
    given, console = arguments(__doc__), Console()
    results = run(given.epochs, given.seed, console)
    show(results, console)


if __name__ == "__main__":
    main()
