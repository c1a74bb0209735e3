"""Shared by the examples: recordings, padding, training, drift and tables.

The Japanese Vowels are 640 recordings of nine speakers, with 12 coefficients in
each of 7 to 29 steps. An example passes `compare` a function that builds a
classifier either with plain Keras layers or with our layers.

The *drift* of a model is the largest change in its predictions between a
sequence alone, without any padding, and the same sequence in a padded batch. A
model that obeys its mask has no drift.
"""

import argparse
import warnings
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

DATA = Path(__file__).parent / "data"
PLAIN, OURS = "plain Keras", "keras_masking"


def load() -> tuple[list, np.ndarray, list, np.ndarray, np.ndarray]:
    """Standardized recordings and speakers, to train and to test.

    The last item is a standardized step of zeros: it is what padding contains
    if the data are standardized after padding.
    """
    with np.load(DATA / "japanese_vowels.npz") as data:
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
    sequences: list,
    extra: int = 0,
    padding: str = "post",
    fill: Any = 0.0,
    multiple: int = 1,
) -> list[np.ndarray]:
    """A batch padded to the longest sequence and `extra` steps more.

    The length of padding before a sequence is rounded down to a multiple of
    `multiple`; the rest comes after the sequence.
    """
    lengths = np.array([len(sequence) for sequence in sequences])[:, None]
    steps = lengths.max() + extra
    starts = np.zeros_like(lengths)
    if padding == "pre":
        starts = (steps - lengths) // multiple * multiple
    columns = np.arange(steps)
    mask = (columns >= starts) & (columns < starts + lengths)
    batch = np.zeros((*mask.shape, sequences[0].shape[1]), "float32") + fill
    batch[mask] = np.concatenate(sequences)
    return [batch.astype("float32"), mask]


def both_sides(
    zeros: np.ndarray, extras: Iterable[int]
) -> dict[str, dict[str, Any]]:
    """Kinds of padding, right and left: the arguments of `pad`.

    `zeros` is a standardized padding step of zeros.
    """
    result: dict[str, dict[str, Any]] = {}
    for padding, words in (("post", "right"), ("pre", "left")):
        for extra in extras:
            name = f"{words}, {extra} more" if extra else words
            result[name] = {"padding": padding, "extra": extra}
        for what, fill in (
            ("then standardized", zeros),
            ("holding NaN", np.nan),
        ):
            result[f"{words}, {what}"] = {"padding": padding, "fill": fill}
    return result


def arguments(description: str, epochs: int = 30) -> argparse.Namespace:
    """The command line arguments: `epochs` and `seed`."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def alone(model: keras.Model, sequences: list) -> np.ndarray:
    """Predictions without padding: sequences of one length at a time."""
    lengths = np.array([len(sequence) for sequence in sequences])
    result = np.zeros((len(sequences), *model.output_shape[1:]), "float32")
    for length in np.unique(lengths):
        where = np.flatnonzero(lengths == length)
        batch = pad([sequences[i] for i in where])
        result[where] = model.predict_on_batch(batch)
    return result


def change(predictions: np.ndarray, reference: np.ndarray) -> float:
    """The largest difference; NaN counts as infinite."""
    moved = np.abs(predictions - reference)
    return float(np.nan_to_num(moved, nan=np.inf).max())


@contextmanager
def lost_masks() -> Iterator[None]:
    """Silences warnings about plain layers that destroy a mask, as expected."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*destroy the mask")
        yield


class Report(keras.callbacks.Callback):
    """Moves a progress bar."""

    def __init__(self, progress: Progress, title: str, epochs: int) -> None:
        super().__init__()
        self.progress = progress
        self.task = progress.add_task(f"training {title}", total=epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.progress.advance(self.task)


@lost_masks()
def compare(
    build: Callable[[bool], keras.Model],
    kinds: dict[str, dict[str, Any]],
    epochs: int,
    seed: int,
    console: Console | None = None,
) -> dict[str, dict[str, Any]]:
    """Trains and measures both models: `accuracy` and `drift` of each.

    `build(masked)` makes the classifier with our layers or with plain ones,
    from the same initial weights; `kinds` has the arguments of `pad`.
    """
    train, train_speakers, test, test_speakers, _ = load()
    results = {}
    with Progress(console=console, transient=True) as progress:
        for title in (PLAIN, OURS):
            keras.utils.set_random_seed(seed)
            model = build(title == OURS)
            model.compile(
                keras.optimizers.Adam(1e-3),
                loss="sparse_categorical_crossentropy",
            )
            model.fit(
                pad(train),
                train_speakers,
                batch_size=30,
                epochs=epochs,
                verbose=0,
                callbacks=[Report(progress, title, epochs)],
            )
            reference = alone(model, test)
            guesses = reference.argmax(axis=1)
            results[title] = {
                "accuracy": float((guesses == test_speakers).mean()),
                "drift": {
                    name: change(
                        model.predict_on_batch(pad(test, **kind)), reference
                    )
                    for name, kind in kinds.items()
                },
            }
    return results


def show(
    results: dict[str, dict[str, Any]],
    console: Console,
    title: str = "Japanese Vowels",
) -> None:
    """Prints a table, with the drifts at the end."""
    backend = keras.backend.backend()
    table = Table(title=f"{title}, Keras {keras.__version__} on {backend}")
    table.add_column("")
    for name in results:
        table.add_column(name, justify="right")
    columns = list(results.values())
    for name in columns[0]:
        if name != "drift":
            values = [c[name] for c in columns]
            cells = [f"{v}" if type(v) is int else f"{v:.3f}" for v in values]
            table.add_row(name, *cells)
    table.add_section()
    for kind in columns[-1]["drift"]:
        drifts = [c["drift"][kind] for c in columns]
        cells = ["NaN" if np.isinf(d) else f"{d:.1e}" for d in drifts]
        table.add_row(f"drift: {kind}", *cells)
    console.print(table)
