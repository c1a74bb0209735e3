"""One model, trained on one device, on two, and with accumulated gradients.

    KERAS_BACKEND=jax python examples/split_batches.py

The tagger of `stress_tagger.py` reads the sounds of words from the CMU
Pronouncing Dictionary. It is trained for an epoch on the same batches of 64
words, in three ways: whole, on one device; in four micro-batches of 16 words,
with `gradient_accumulation_steps`; and on two devices with 32 words each. Words
of a batch are sorted by length, as they are where batches are made of words of
similar lengths: the parts of a batch have different numbers of sounds.

The devices are two virtual ones of the CPU: `keras.distribution.DataParallel`
on JAX, `tf.distribute.MirroredStrategy` on TensorFlow, and on PyTorch two
processes with `DistributedDataParallel`.

The table shows how far the weights are from those of one device, relative to
how far the epoch moved them, and the loss per sound on other words. Keras'
losses divide by the sounds of a part. So all parts count alike, and it is
another training, except on JAX, where the devices share one batch. With
`split_weights` or `MaskedLoss` every sound counts alike, and the weights are
those of one device.

Each row is a process of its own, since devices are made before Keras starts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.table import Table
from side_by_side import OURS
from side_by_side import PLAIN
from stress_tagger import TAGS
from stress_tagger import Word
from stress_tagger import load

from keras_masking import batching
from keras_masking import layers
from keras_masking.losses import MaskedLoss
from keras_masking.metrics import LossPerStep

WHOLE, ACCUMULATED, DEVICES = "one device", "accumulated", "two devices"
WORDS, PARTS = 64, 4
TWO_CPUS = "--xla_force_host_platform_device_count=2"
Batch = tuple[np.ndarray, np.ndarray]


class Batches(keras.utils.PyDataset):
    """Batches of a list, in its order."""

    def __init__(self, batches: list[Batch]) -> None:
        super().__init__()
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        return self.batches[index]


def cut(words: list[Word], size: int = WORDS) -> list[Batch]:
    """Ids and tags of batches; words are sorted within each 64."""
    steps = max(len(ids) for ids, _ in words)
    whole = len(words) // WORDS * WORDS
    by_length = [
        word
        for start in range(0, whole, WORDS)
        for word in sorted(
            words[start : start + WORDS], key=lambda w: len(w[0])
        )
    ]
    ids, tags = (
        keras.utils.pad_sequences(one, steps, padding="post")
        for one in zip(*by_length)
    )
    parts = [slice(i, i + size) for i in range(0, whole, size)]
    return [(ids[part], tags[part]) for part in parts]


def build(loss: Any, accumulate: int | None = None) -> keras.Model:
    """The tagger, with the same weights in each process."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None,), dtype="int32", name="sounds")
    x = layers.CustomEmbedding(40, 32, mask_zero=True)(inputs)
    for _ in range(2):
        x = layers.MaskedConv1D(32, 5, padding="same", activation="silu")(x)
    model = keras.Model(inputs, keras.layers.Dense(len(TAGS))(x))
    rng = np.random.default_rng(0)
    model.set_weights(
        [rng.normal(0, 0.1, w.shape) for w in model.get_weights()]
    )
    optimizer = keras.optimizers.SGD(
        0.5, gradient_accumulation_steps=accumulate
    )
    model.compile(optimizer, loss, metrics=[LossPerStep(crossentropy())])
    return model


def crossentropy() -> keras.losses.Loss:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def train(way: str, title: str, words: list[Word]) -> keras.Model:
    """The model after an epoch."""
    ours = title == OURS
    if way == DEVICES:
        loss = MaskedLoss(crossentropy()) if ours else crossentropy()
        return ON_DEVICES[keras.config.backend()](loss, cut(words))
    if way == WHOLE:
        model = build(crossentropy())
        model.fit(Batches(cut(words)), shuffle=False, verbose=0)
        return model
    model = build(crossentropy(), PARTS)
    batches: Any = Batches(cut(words, WORDS // PARTS))
    if ours:
        batches = batching.split_weights(batches, accumulate=PARTS)
    model.fit(batches, shuffle=False, verbose=0)
    return model


def on_jax(loss: Any, batches: list[Batch]) -> keras.Model:
    devices = keras.distribution.list_devices()
    parallel = keras.distribution.DataParallel(devices=devices)
    keras.distribution.set_distribution(parallel)
    model = build(loss)
    model.fit(Batches(batches), shuffle=False, verbose=0)
    return model


def on_tensorflow(loss: Any, batches: list[Batch]) -> keras.Model:
    tensorflow: Any = import_module("tensorflow")
    (cpu,) = tensorflow.config.list_physical_devices("CPU")
    two = [tensorflow.config.LogicalDeviceConfiguration()] * 2
    tensorflow.config.set_logical_device_configuration(cpu, two)
    strategy = tensorflow.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        model = build(loss)
        model.fit(Batches(batches), shuffle=False, verbose=0)
    return model


def on_torch(loss: Any, batches: list[Batch]) -> keras.Model:
    """The loop of one of two processes."""
    torch: Any = import_module("torch")
    rank = int(os.environ["RANK"])
    torch.distributed.init_process_group(
        "gloo", os.environ["MEETING"], rank=rank, world_size=2
    )
    if isinstance(loss, MaskedLoss):
        loss = MaskedLoss(loss, synchronized=True)
    model = build(loss)
    parallel = torch.nn.parallel.DistributedDataParallel(model)
    trainable = model.trainable_weights
    rows = slice(rank * WORDS // 2, (rank + 1) * WORDS // 2)
    for ids, tags in batches:
        model.zero_grad()
        predicted = parallel(torch.as_tensor(ids[rows]))
        model.compute_loss(y=tags[rows], y_pred=predicted).backward()
        gradients = [v.value.grad for v in trainable]
        with torch.no_grad():
            model.optimizer.apply(gradients, trainable)
    torch.distributed.barrier()
    return model


ON_DEVICES = {"jax": on_jax, "tensorflow": on_tensorflow, "torch": on_torch}


def work(way: str, title: str, count: int, path: Path) -> None:
    """What a process does: trains, evaluates, and saves the weights."""
    train_words, test_words = load()
    longest = max(test_words, key=lambda word: len(word[0]))
    words = [longest, *train_words[: count - 1]]
    weights = train(way, title, words).get_weights()
    keras.distribution.set_distribution(None)
    model = build(crossentropy())
    model.set_weights(weights)
    logs = model.evaluate(Batches(cut(test_words)), verbose=0, return_dict=True)
    np.savez(path, *weights, loss=logs["loss_per_step"])


def measure(way: str, title: str, count: int) -> dict[str, np.ndarray]:
    """Weights and loss of a training in a process of its own, or two."""
    processes = 1
    if way == DEVICES and keras.config.backend() == "torch":
        processes = 2
    flags = os.environ.get("XLA_FLAGS", "")
    if way == DEVICES:
        flags = f"{flags} {TWO_CPUS}"
    with tempfile.TemporaryDirectory() as folder:
        workers = [
            subprocess.Popen(
                [
                    *(sys.executable, __file__, "--way", way),
                    *("--title", title, "--words", str(count)),
                    *("--path", str(Path(folder) / f"{rank}.npz")),
                ],
                env={
                    **os.environ,
                    "KERAS_BACKEND": keras.config.backend(),
                    "XLA_FLAGS": flags,
                    "RANK": str(rank),
                    "MEETING": f"file://{folder}/meeting",
                    "GLOO_SOCKET_IFNAME": "lo",
                },
            )
            for rank in range(processes)
        ]
        if any([worker.wait() for worker in workers]):
            raise RuntimeError(f"the training with {way} failed")
        with np.load(Path(folder) / "0.npz") as saved:
            return dict(saved)


def run(words: int = 4096) -> dict[tuple[str, str], dict[str, float]]:
    """Distance from the weights of one device, and loss per sound."""
    before = [*map(np.asarray, build(crossentropy()).get_weights())]
    results = {}
    one: list[np.ndarray] = []
    for way in (WHOLE, ACCUMULATED, DEVICES):
        for title in (PLAIN,) if way == WHOLE else (PLAIN, OURS):
            found = measure(way, title, words)
            loss = float(found.pop("loss"))
            weights = [*found.values()]
            one = one or weights
            far = max(abs(a - b).max() for a, b in zip(weights, one))
            moved = max(abs(a - b).max() for a, b in zip(one, before))
            results[way, title] = {"distance": far / moved, "loss": loss}
    return results


def show(
    results: dict[tuple[str, str], dict[str, float]], console: Console
) -> None:
    table = Table(title=f"An epoch on {keras.config.backend()}")
    for name in ("trained", "with", "distance from one device", "loss"):
        table.add_column(name)
    for (way, title), found in results.items():
        numbers = f"{found['distance']:.7f}", f"{found['loss']:.6f}"
        table.add_row(way, title, *numbers)
    console.print(table)


def main() -> None:
    """Runs the example from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=4096)
    for name in ("--way", "--title", "--path"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        work(given.way, given.title, given.words, Path(given.path))
    else:
        show(run(given.words), Console())


if __name__ == "__main__":
    main()
