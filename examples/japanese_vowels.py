"""Who is speaking? And does the answer depend on the padding?

    KERAS_BACKEND=jax python examples/japanese_vowels.py [--plot drift.png]

Trains one architecture twice on the Japanese Vowels recordings, once of plain
Keras layers and once of ours, from the same initial weights and with the same
explicit mask. `Conv1D` cannot use a mask; `GlobalAveragePooling1D`, the one
pooling layer of Keras that can, is given it by hand.

Then it measures the *drift*: each test recording is predicted alone, without
any padding, and again in a batch with padding of several kinds. The drift is
the largest change of a predicted probability, over all recordings and speakers.
A model that obeys its mask has none.
"""

import argparse
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from keras_masking import layers

DATA = Path(__file__).parent / "data" / "japanese_vowels.npz"
EXTRA_STEPS = (0, 1, 5, 20, 100)
# UCI Machine Learning Repository, https://doi.org/10.24432/C5NS47, which takes
# them from Kudo, Toyama and Shimbo (1999), same training and test recordings.
PUBLISHED = {
    "passing-through regions (Kudo et al. 1999)": 0.941,
    "5-state continuous hidden Markov model (ibid.)": 0.962,
}


def load() -> tuple[list, np.ndarray, list, np.ndarray, np.ndarray]:
    """Standardized recordings and speakers, to train and to test.

    The last item is what a step of zeros becomes by standardizing: it stands
    in the padding of everybody who pads first.
    """
    with np.load(DATA) as data:
        ends = np.cumsum(data["lengths"].astype("int32"))
        recordings = np.split(data["steps"], ends[:-1])
        speakers = data["speakers"].astype("int32")
        training = data["training"]
    seen = np.concatenate([r for r, t in zip(recordings, training) if t])
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    recordings = [(r - mean) / deviation for r in recordings]
    train = [r for r, t in zip(recordings, training) if t]
    test = [r for r, t in zip(recordings, training) if not t]
    zeros = -mean / deviation
    return train, speakers[training], test, speakers[~training], zeros


def pad(
    recordings: list, extra: int = 0, padding: str = "post", fill: Any = 0.0
) -> list[np.ndarray]:
    """A batch padded to the longest recording and `extra` steps more."""
    lengths = np.array([len(recording) for recording in recordings])
    steps = lengths.max() + extra
    columns = np.arange(steps)
    if padding == "pre":
        columns = columns[::-1]
    mask = columns < lengths[:, None]
    batch = np.zeros((len(recordings), steps, 12), "float32") + fill
    batch[mask] = np.concatenate(recordings)
    return [batch.astype("float32"), mask]


def build(masked: bool, seed: int) -> keras.Model:
    """The classifier, of our layers or of plain Keras layers."""
    keras.utils.set_random_seed(seed)
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
    model = keras.Model([inputs, mask], outputs)
    model.compile(
        keras.optimizers.Adam(1e-3),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def alone(model: keras.Model, recordings: list) -> np.ndarray:
    """Predictions without padding: recordings of one length at a time."""
    lengths = np.array([len(recording) for recording in recordings])
    result = np.zeros((len(recordings), 9), "float32")
    for length in np.unique(lengths):
        where = np.flatnonzero(lengths == length)
        batch = pad([recordings[i] for i in where])
        result[where] = model.predict_on_batch(batch)
    return result


def drifts(
    model: keras.Model, recordings: list, zeros: np.ndarray
) -> dict[str, float]:
    """Largest change of a probability, for each kind of padding."""
    reference = alone(model, recordings)

    def drift(**kind: Any) -> float:
        padded = model.predict_on_batch(pad(recordings, **kind))
        # NaN is the largest change of all.
        return float(
            np.nan_to_num(np.abs(padded - reference), nan=np.inf).max()
        )

    result = {}
    for padding, words in (("post", "appended"), ("pre", "prepended")):
        for extra in EXTRA_STEPS:
            result[f"{extra} more {words}"] = drift(
                extra=extra, padding=padding
            )
    result["padded, then standardized"] = drift(fill=zeros)
    result["padding holds 5"] = drift(fill=5.0)
    result["padding holds NaN"] = drift(fill=np.nan)
    return result


class Report(keras.callbacks.Callback):
    """Moves a progress bar."""

    def __init__(self, progress: Progress, title: str, epochs: int) -> None:
        super().__init__()
        self.progress = progress
        self.task = progress.add_task(title, total=epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.progress.advance(self.task)


def run(
    epochs: int = 60, seed: int = 0, console: Console | None = None
) -> dict[str, dict[str, Any]]:
    """Trains and measures both; for each, `accuracy` and `drift`."""
    train, train_speakers, test, test_speakers, zeros = load()
    results = {}
    with Progress(console=console, transient=True) as progress:
        for title, masked in (("plain Keras", False), ("keras_masking", True)):
            with warnings.catch_warnings():
                # That Conv1D destroys the mask is what we are about to show.
                warnings.filterwarnings("ignore", ".*destroy the mask")
                model = build(masked, seed)
                model.fit(
                    pad(train),
                    train_speakers,
                    batch_size=30,
                    epochs=epochs,
                    verbose=0,
                    callbacks=[Report(progress, f"training {title}", epochs)],
                )
                guesses = alone(model, test).argmax(axis=1)
                drift = drifts(model, test, zeros)
            results[title] = {
                "accuracy": float((guesses == test_speakers).mean()),
                "drift": drift,
            }
    return results


def show(results: dict[str, dict[str, Any]], console: Console) -> None:
    """Prints the table of accuracies and drifts."""
    backend = keras.backend.backend()
    table = Table(
        title=f"Japanese Vowels, Keras {keras.__version__} on {backend}"
    )
    table.add_column("")
    for title in results:
        table.add_column(title, justify="right")
    accuracies = [r["accuracy"] for r in results.values()]
    table.add_row("accuracy", *(f"{a:.3f}" for a in accuracies))
    table.add_section()
    for kind in next(iter(results.values()))["drift"]:
        values = [r["drift"][kind] for r in results.values()]
        cells = ["NaN" if np.isinf(v) else f"{v:.1e}" for v in values]
        table.add_row(f"drift: {kind}", *cells)
    console.print(table)
    for name, accuracy in PUBLISHED.items():
        console.print(f"published accuracy {accuracy:.3f}  {name}")


def plot(results: dict[str, dict[str, Any]], path: str) -> None:
    """Draws the drift for each kind of padding."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for (title, result), marker in zip(results.items(), ("X", "o")):
        kinds = list(result["drift"])[::-1]
        drift = np.array([result["drift"][kind] for kind in kinds])
        # NaN stands right of 1, the largest change of a probability.
        shown = np.where(np.isinf(drift), 10.0, np.maximum(drift, 1e-9))
        axes.plot(shown, kinds, marker, label=title, clip_on=False)
    axes.set_xscale("log")
    axes.set_xlim(1e-9, 10)
    ticks = (1e-9, 1e-7, 1e-5, 1e-3, 0.1, 1, 10)
    axes.set_xticks(ticks, [*(f"{tick:g}" for tick in ticks[:-1]), "NaN"])
    axes.minorticks_off()
    axes.grid(axis="both", alpha=0.3)
    axes.set_xlabel("largest change of a predicted probability")
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
    if arguments.plot:
        plot(results, arguments.plot)
        console.print(f"wrote {arguments.plot}")


if __name__ == "__main__":
    main()
