"""What one inspection costs, in forward passes of the same model.

Run: python -m benchmarks.inspection [--write]

A model of 50 layers in each style that people write: recurrent, attention,
convolution. A forward pass is an eager call, as an inspection makes them. The
first inspection of a process is a row of its own: JAX compiles every operation
for every new shape.
"""

import argparse
import statistics
import time
import warnings
from typing import Any

from benchmarks.each_backend import add_options
from benchmarks.each_backend import tabulate

ROWS, STEPS, SIZE = 16, 64, 64
REPEATS = 5


def transformer(ids: Any, attention: Any, add: Any, activation: Any) -> Any:
    """Ten blocks of five layers."""
    from keras import layers as kl

    x = kl.Embedding(100, SIZE, mask_zero=True)(ids)
    for _ in range(10):
        heard = attention(4, 16)(x, x)
        x = kl.LayerNormalization()(add()([x, heard]))
        x = activation("tanh")(kl.Dense(SIZE, activation="relu")(x))
    return kl.GlobalAveragePooling1D()(x)


def sound(ids: Any) -> Any:
    """Of our layers: nothing to find."""
    from keras_masking import layers as ours

    parts = ours.MaskedMultiHeadAttention, ours.MaskedAdd, ours.MyActivation
    return transformer(ids, *parts)


def faulty(ids: Any) -> Any:
    """The same of Keras' layers: the worst case, everything is measured."""
    from keras import layers as kl

    return transformer(ids, kl.MultiHeadAttention, kl.Add, kl.Activation)


def convolutions(ids: Any) -> Any:
    """Each of them leaks, and drops the mask."""
    from keras import layers as kl

    x = kl.Embedding(100, SIZE, mask_zero=True)(ids)
    for _ in range(16):
        x = kl.Conv1D(SIZE, 3, padding="same")(x)
        x = kl.GroupNormalization(8)(x)
        x = kl.Activation("relu")(x)
    return kl.GlobalAveragePooling1D()(x)


def recurrent(ids: Any) -> Any:
    """A few recurrent layers among pointwise ones."""
    from keras import layers as kl

    from keras_masking import layers

    x = kl.Embedding(100, SIZE, mask_zero=True)(ids)
    for _ in range(3):
        x = layers.KeepMask(kl.GRU(SIZE, return_sequences=True))(x)
        for _ in range(7):
            x = kl.LayerNormalization()(kl.Dense(SIZE)(x))
    return kl.GlobalAveragePooling1D()(x)


MODELS = (sound, faulty, convolutions, recurrent)


def timed(function: Any) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def beyond(inspection: float, passes: float) -> str:
    """What an inspection takes beyond its first second, in passes."""
    rest = (inspection - 1) / passes
    return f"{rest:.1f}" if rest > 0 else "within 1 s"


def measure() -> None:
    """One line of each model, on the backend of this process."""
    import keras
    import numpy as np

    import keras_masking

    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(0)
    data = rng.integers(1, 100, (ROWS, STEPS)).astype("int32")
    data[np.arange(STEPS) >= rng.integers(8, STEPS, (ROWS, 1))] = 0
    tensor = keras.ops.convert_to_tensor(data)
    for make in MODELS:
        keras.utils.set_random_seed(0)
        ids = keras.Input((None,), dtype="int32")
        model = keras.Model(ids, make(ids))

        def forward(model: Any = model) -> None:
            keras.ops.convert_to_numpy(model(tensor))

        def inspect(model: Any = model) -> Any:
            return keras_masking.inspect_masks(model, data)

        first_forward, first = timed(forward), timed(inspect)
        passes = statistics.median(timed(forward) for _ in range(REPEATS))
        later = statistics.median(timed(inspect) for _ in range(REPEATS))
        found = len(inspect().findings)
        layers = len(model.layers) - 1
        print(
            f"| {keras.backend.backend()} | {make.__name__} | {layers} | "
            f"{found} | {passes:.3f} | {later:.3f} | {later / passes:.1f} | "
            f"{beyond(later, passes)} | {first_forward:.2f} | {first:.2f} |",
            flush=True,
        )


COLUMNS = (
    "backend",
    "model",
    "layers",
    "findings",
    "forward pass, s",
    "inspection, s",
    "in passes",
    "in passes, after the first second",
    "first pass, s",
    "first inspection, s",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    if options.here:
        measure()
        return
    tabulate(
        "inspection",
        "What one inspection costs",
        f"{ROWS} x {STEPS} ids, {SIZE} features; medians of {REPEATS} "
        "repetitions in one run.",
        HEAD,
        write=options.write,
    )


if __name__ == "__main__":
    main()
