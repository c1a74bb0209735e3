"""The same taggers with less padding: padded words, buckets, packed rows.

    KERAS_BACKEND=jax python examples/less_padding.py

Two taggers of stressed sounds, the one with convolutions of `stress_tagger.py`
and a transformer, are trained three times each, on batches of about 64 words.
"Padded": every word is padded to the longest one. "Buckets": words of similar
length share a batch. "Packed": a row of 64 steps holds several words, parted by
two steps of padding, as many as a convolution of width 5 needs on either side.
For the transformer, attention and positions are told `packed=True`; it needs
one step.

The last rows show how far the predictions for a word move, compared with the
word alone, if one of the models predicts it in each of the three ways. They do
not move, since our layers obey the mask. So the way is chosen by speed: real
steps per second in training, and the time of the first epoch, in which JAX
compiles every shape. Words are short, 6 sounds on average: their gaps are a
fifth of the packed rows, and the buckets have less padding. The longer the
sequences, the more there is to gain, and the less a gap counts.
"""

import time
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress
from side_by_side import Report
from side_by_side import arguments
from side_by_side import change
from side_by_side import show
from stress_tagger import TAGS
from stress_tagger import Word
from stress_tagger import alone
from stress_tagger import build
from stress_tagger import load

from keras_masking import batching
from keras_masking import layers
from keras_masking import losses

WAYS = PADDED, BUCKETS, PACKED = "padded", "buckets", "packed"
MODELS = CONVOLUTION, TRANSFORMER = "convolutions", "transformer"
WORDS = 64  # in a batch
ROW: dict[str, Any] = {"steps": 64, "gap": 2}


def transformer() -> keras.Model:
    """A block of attention, for padded and for packed rows."""
    inputs = keras.Input((None,), dtype="int32", name="sounds")
    x = layers.CustomEmbedding(40, 64, mask_zero=True)(inputs)
    position = layers.MaskedPositionEmbedding(ROW["steps"], packed=True)
    x = layers.MaskedAdd()([x, position(x)])
    y = keras.layers.LayerNormalization()(x)
    y = layers.MaskedMultiHeadAttention(4, 16, packed=True)(y, y)
    x = layers.MaskedAdd()([x, y])
    y = keras.layers.LayerNormalization()(x)
    y = keras.layers.Dense(128, activation="relu")(y)
    x = layers.MaskedAdd()([x, keras.layers.Dense(64)(y)])
    outputs = keras.layers.Dense(len(TAGS), activation="softmax")(x)
    return keras.Model(inputs, outputs)


def batches(way: str, words: list[Word]) -> Any:
    """The batches of one epoch after the other."""
    x = [ids for ids, _ in words]
    y = [np.eye(len(TAGS), dtype="float32")[tags] for _, tags in words]
    if way == PACKED:
        sounds = np.mean([len(ids) + ROW["gap"] for ids in x])
        rows = round(WORDS * sounds / ROW["steps"])
        return batching.PackedBatches(x, y, batch_size=rows, **ROW)
    buckets = 1 if way == PADDED else 6
    return batching.BucketedBatches(x, y, batch_size=WORDS, buckets=buckets)


def make(kind: str, seed: int) -> keras.Model:
    """A tagger, always with the same initial weights."""
    keras.utils.set_random_seed(seed)
    return build(masked=True) if kind == CONVOLUTION else transformer()


def predict(model: keras.Model, way: str, words: list[Word]) -> np.ndarray:
    """The tags of all sounds, word by word."""
    x = [ids for ids, _ in words]
    how: dict[str, Any] = {"buckets": 1 if way == PADDED else 6}
    if way == PACKED:
        lengths = [len(ids) for ids in x]
        how = {"packing": batching.pack(lengths, **ROW)}
    found = batching.predict_unpadded(model, x, verbose=0, **how)
    return np.concatenate(found)


class Clock(keras.callbacks.Callback):
    """Keeps the seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def run(
    kind: str = CONVOLUTION,
    epochs: int = 4,
    seed: int = 0,
    console: Console | None = None,
) -> dict[str, dict[str, Any]]:
    """Trains in each of the ways: figures, and `drift` of the predictions."""
    train, test = load()
    tags = np.concatenate([tags for _, tags in test])
    results: dict[str, dict[str, Any]] = {}
    tagger = make(kind, seed)  # predicts for all: JAX compiles it once
    with Progress(console=console, transient=True) as progress:
        for way in WAYS:
            model = make(kind, seed)
            model.compile(
                keras.optimizers.Adam(2e-3),
                losses.MaskedLoss("categorical_crossentropy"),
            )
            dataset, clock = batches(way, train), Clock()
            report = dataset.report()
            model.fit(
                dataset,
                epochs=epochs,
                verbose=0,
                callbacks=[clock, Report(progress, way, epochs)],
            )
            tagger.set_weights(model.get_weights())
            reference = alone(tagger, test)
            likelihood = reference[np.arange(len(tags)), tags]
            steady = np.median(clock.seconds[1:] or clock.seconds)
            results[way] = {
                "share of padding": report.padding,
                "shapes of batches": len(report.shapes),
                "first epoch, seconds": clock.seconds[0],
                "1000 real steps per second": report.real / steady / 1000,
                "loss, test words alone": -np.log(likelihood).mean(),
                "drift": {
                    f"predicted {other}": change(
                        predict(tagger, other, test), reference
                    )
                    for other in WAYS
                },
            }
    return results


def main() -> None:
    """Runs the example from the command line."""
    given, console = arguments(__doc__, epochs=4), Console()
    for kind in MODELS:
        results = run(kind, given.epochs, given.seed, console)
        show(results, console, f"Stress of words by {kind}")


if __name__ == "__main__":
    main()
