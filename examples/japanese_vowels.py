"""Speaker identification, and whether the answer depends on the padding.

    KERAS_BACKEND=jax python examples/japanese_vowels.py [--plot drift.png]

Trains one architecture twice on the Japanese Vowels recordings, once with plain
Keras layers and once with our layers, from the same initial weights and with
the same explicit mask. `Conv1D` cannot use a mask; `GlobalAveragePooling1D`,
the only pooling layer of Keras that can, gets it explicitly.

Then it measures the *drift*: each test recording is predicted alone, without
any padding, and again in a batch with several kinds of padding. The drift is
the largest change in a predicted probability, over all recordings and speakers.
A model that obeys its mask has no drift.
"""

import argparse
from typing import Any

import keras
import numpy as np
from rich.console import Console
from side_by_side import compare
from side_by_side import load
from side_by_side import show

from keras_masking import layers

EXTRA_STEPS = (0, 1, 5, 20, 100)
# From the UCI Machine Learning Repository, https://doi.org/10.24432/C5NS47,
# after Kudo, Toyama and Shimbo (1999), with the same training and test
# recordings.
PUBLISHED = {
    "passing-through regions (Kudo et al. 1999)": 0.941,
    "5-state continuous hidden Markov model (ibid.)": 0.962,
}


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
    for _ in range(2):
        x = conv(64, 5, padding="same", activation="relu")(x)
        x = keras.layers.Dropout(0.2)(x)
    x = pool()(x, mask=mask)
    outputs = keras.layers.Dense(9, activation="softmax")(x)
    return keras.Model([inputs, mask], outputs)


def paddings(zeros: np.ndarray) -> dict[str, dict[str, Any]]:
    """Kinds of padding: the arguments of `pad`."""
    result = {}
    for padding, words in (("post", "appended"), ("pre", "prepended")):
        for extra in EXTRA_STEPS:
            result[f"{extra} more {words}"] = {
                "extra": extra,
                "padding": padding,
            }
    result["padded, then standardized"] = {"fill": zeros}
    result["padding holds 5"] = {"fill": 5.0}
    result["padding holds NaN"] = {"fill": np.nan}
    return result


def run(
    epochs: int = 60, seed: int = 0, console: Console | None = None
) -> dict[str, dict[str, Any]]:
    """Trains and measures both models: `accuracy` and `drift` of each."""
    *_, zeros = load()
    return compare(build, paddings(zeros), epochs, seed, console)


def plot(results: dict[str, dict[str, Any]], path: str) -> None:
    """Draws the drift for each kind of padding."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for (title, result), marker in zip(results.items(), ("X", "o")):
        kinds = list(result["drift"])[::-1]
        drift = np.array([result["drift"][kind] for kind in kinds])
        # NaN is drawn to the right of 1, the largest possible change.
        shown = np.where(np.isinf(drift), 10.0, np.maximum(drift, 1e-9))
        axes.plot(shown, kinds, marker, label=title, clip_on=False)
    axes.set_xscale("log")
    axes.set_xlim(1e-9, 10)
    ticks = (1e-9, 1e-7, 1e-5, 1e-3, 0.1, 1, 10)
    axes.set_xticks(ticks, [*(f"{tick:g}" for tick in ticks[:-1]), "NaN"])
    axes.minorticks_off()
    axes.grid(axis="both", alpha=0.3)
    axes.set_xlabel("largest change in a predicted probability")
    axes.set_title("The same recordings, more padding")
    axes.legend(loc="center")
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    """Runs the example from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", metavar="OUT.png", help="draw the drift")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    console = Console()
    results = run(arguments.epochs, arguments.seed, console)
    show(results, console)
    for name, accuracy in PUBLISHED.items():
        console.print(f"published accuracy {accuracy:.3f}  {name}")
    if arguments.plot:
        plot(results, arguments.plot)
        console.print(f"wrote {arguments.plot}")


if __name__ == "__main__":
    main()
