"""How much faster models train with less padding.

Run: python -m benchmarks.batching [--write] [--quick] [--backend torch]

Whole epochs of `fit` on the same sequences, in turns in one process for each
backend. A ratio is the time of batches padded to the longest sequence, divided
by the time of this way: above 1 it is faster. The first epoch includes tracing
and compilation. `random` batches are padded to their own longest sequence; they
are left out on JAX, which compiles for almost every batch.
"""

import argparse
import statistics
import time
from typing import Any

from benchmarks.each_backend import add_choices
from benchmarks.each_backend import add_options
from benchmarks.each_backend import chosen
from benchmarks.each_backend import tabulate

LONGEST, IDS, TAGS = 512, 1000, 8
BATCH = 16  # sequences
BUDGET = 2048  # steps, about as many as 16 sequences have
SIZES = [128, 256, LONGEST]  # of packed rows
KERNEL, GAP = 5, 2  # what the kernel needs on either side


def sequences(count: int) -> list[Any]:
    """Ids of log-normal lengths: mean 120, at most 512."""
    import numpy as np

    rng = np.random.default_rng(0)
    lengths = rng.lognormal(4.55, 0.7, count).astype(int)
    lengths = np.clip(lengths, 1, LONGEST)
    lengths[0] = LONGEST
    return [rng.integers(1, IDS, n).astype("int32") for n in lengths]


def convolution(x: Any) -> Any:
    """Two convolutions."""
    from keras_masking import layers

    how = {"padding": "same", "activation": "relu"}
    x = layers.MaskedConv1D(128, KERNEL, **how)(x)
    return layers.MaskedConv1D(128, KERNEL, **how)(x)


def transformer(x: Any) -> Any:
    """Two blocks."""
    import keras

    from keras_masking import layers

    position = layers.MaskedPositionEmbedding(LONGEST, packed=True)
    x = layers.MaskedAdd()([x, position(x)])
    for _ in range(2):
        attention = layers.MaskedMultiHeadAttention(4, 16, packed=True)
        x = layers.MaskedAdd()([x, attention(x, x)])
        inner = keras.layers.Dense(256, activation="relu")(
            keras.layers.LayerNormalization()(x)
        )
        x = layers.MaskedAdd()([x, keras.layers.Dense(64)(inner)])
    return x


def recurrent(x: Any) -> Any:
    """A bidirectional GRU."""
    from keras_masking import layers

    gru = layers.MaskedGRU(64, return_sequences=True, packed=True)
    return layers.MaskedBidirectional(gru)(x)


MODELS = (convolution, transformer, recurrent)


def build(make: Any) -> Any:
    import keras

    from keras_masking import layers
    from keras_masking import losses

    keras.utils.set_random_seed(0)
    ids = keras.Input((None,), dtype="int32")
    x = layers.CustomEmbedding(IDS, 64, mask_zero=True)(ids)
    model = keras.Model(ids, keras.layers.Dense(TAGS)(make(x)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", losses.MaskedLoss(loss))
    return model


def ways(x: list[Any]) -> dict[str, Any]:
    """The batches of each way."""
    import keras

    from keras_masking.batching import BucketedBatches
    from keras_masking.batching import PackedBatches

    y = [sequence % TAGS for sequence in x]

    class Random(keras.utils.PyDataset):
        """Batches of any lengths, padded to their longest sequence."""

        def __len__(self) -> int:
            return len(x) // BATCH

        def __getitem__(self, index: int) -> Any:
            part = slice(index * BATCH, (index + 1) * BATCH)
            pad = keras.utils.pad_sequences
            return tuple(pad(one[part], padding="post") for one in (x, y))

    def packed(budget: int, sizes: Any = LONGEST) -> Any:
        how = {"steps": sizes, "gap": GAP, "batch_size": budget // LONGEST}
        return PackedBatches(x, y, **how)

    found = {"padded": BucketedBatches(x, y, buckets=1, batch_size=BATCH)}
    if keras.backend.backend() != "jax":
        found["random"] = Random()
    for name, budget in (("", BUDGET), (", 4 x the steps", 4 * BUDGET)):
        found[f"8 buckets{name}"] = BucketedBatches(
            x, y, steps_per_batch=budget
        )
        found[f"packed{name}"] = packed(budget)
        found[f"packed, 3 sizes{name}"] = packed(budget, SIZES)
    return found


def timed(function: Any, *args: Any, **kwargs: Any) -> float:
    start = time.perf_counter()
    function(*args, **kwargs)
    return time.perf_counter() - start


def measure(count: int, rounds: int) -> None:
    """The lines of one backend, in this process."""
    import keras

    x = sequences(count)
    for make in MODELS:
        datasets = ways(x)
        fits = {name: build(make).fit for name in datasets}
        times: dict[str, list[float]] = {name: [] for name in datasets}
        for _ in range(1 + rounds):
            for name, dataset in datasets.items():
                seconds = timed(fits[name], dataset, verbose=0)
                times[name].append(seconds)
        first = {name: found[0] for name, found in times.items()}
        steady = {n: statistics.median(t[1:]) for n, t in times.items()}
        for name, dataset in datasets.items():
            making = timed(lambda d=dataset: [*d])
            padding, shapes = "-", "-"
            if name != "random":
                report = dataset.report()
                padding, shapes = f"{report.padding:.0%}", len(report.shapes)
            print(
                f"| {keras.backend.backend()} | {make.__name__} | {name} | "
                f"{padding} | {len(dataset)} | {shapes} | "
                f"{steady['padded'] / steady[name]:.2f} | "
                f"{first['padded'] / first[name]:.2f} | {steady[name]:.2f} | "
                f"{making / steady[name]:.1%} |",
                flush=True,
            )


COLUMNS = (
    "backend",
    "model",
    "batches",
    "padding",
    "batches in an epoch",
    "shapes",
    "times as fast",
    "in the first epoch",
    "epoch, s",
    "share of making batches",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_choices(parser)
    add_options(parser)
    options = parser.parse_args()
    count, rounds = (32, 1) if options.quick else (512, 2)
    if options.here:
        measure(count, rounds)
        return
    tabulate(
        "batching",
        "Training with less padding",
        f"{count} sequences, log-normal lengths, at most {LONGEST}; medians of "
        f"{rounds} epochs in turns.",
        HEAD,
        **chosen(options),
    )


if __name__ == "__main__":
    main()
