"""What the losses of sequences cost, beside others of the same values.

Run: python -m benchmarks.sequences [--write] [--backend torch]

A value and its gradients, in rounds in which each runs once, as `fit` runs them
(see `benchmarks.modes`). PyTorch has one thread: beside other programs two wait
for each other. `pytorch-crf` runs on PyTorch in each process; its row is left
out where it is not installed. First all are compared: the same value within
1e-4.
"""

import argparse
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from benchmarks.each_backend import add_choices
from benchmarks.each_backend import add_options
from benchmarks.each_backend import chosen
from benchmarks.each_backend import tabulate

SEED = 0


def lengths(rows: int, steps: int) -> Any:
    """From half of the steps to all of them, as a mask."""
    import numpy as np

    drawn = np.random.default_rng(SEED).integers(steps // 2, steps + 1, rows)
    drawn[0] = steps
    return np.arange(steps) < drawn[:, None]


def crf() -> tuple[str, dict[str, Callable[[], Any]]]:
    """64 rows of 128 steps and 32 tags."""
    import numpy as np
    from keras import initializers
    from keras import ops

    from keras_masking import layers
    from keras_masking import losses

    rng = np.random.default_rng(SEED)
    mask = lengths(64, 128)
    emissions = rng.normal(size=(64, 128, 32)).astype("float32")
    tags = rng.integers(0, 32, (64, 128))
    start = initializers.RandomNormal(stddev=0.5, seed=SEED)
    layer, loss = layers.LinearChainCRF(32, initializer=start), losses.CRFLoss()
    layer.build((None, None, 32))
    weights = [np.array(w) for w in layer.get_weights()]
    targets, real = ops.convert_to_tensor(tags), ops.convert_to_tensor(mask)

    def ours(x: Any) -> Any:
        return loss(targets, layer(x, mask=real))

    calls = {"keras_masking": made(ours, [layer], emissions)}
    if find_spec("torchcrf") and find_spec("torch"):
        calls = {
            "pytorch-crf": peer(emissions, tags, mask, weights),
            **calls,
        }
    return "CRF, 64 x 128 steps x 32 tags", calls


def peer(emissions: Any, tags: Any, mask: Any, weights: Any) -> Any:
    import torch
    from torchcrf import CRF

    module = CRF(32, batch_first=True)
    with torch.no_grad():
        for name, value in zip(("transitions", "start", "end"), weights):
            name += "" if name == "transitions" else "_transitions"
            getattr(module, name).copy_(torch.tensor(value))
    x = torch.tensor(emissions, requires_grad=True)
    y, real = torch.tensor(tags), torch.tensor(mask)

    def call() -> Any:
        value = -module(x, y, real, reduction="mean")
        torch.autograd.grad(value, [x, *module.parameters()])
        return value.detach()

    return call


def ctc() -> tuple[str, dict[str, Callable[[], Any]]]:
    """32 rows of 200 steps and 40 classes, with 30 labels, without a mask."""
    import numpy as np
    from keras import ops

    from keras_masking import losses

    rng = np.random.default_rng(SEED)
    logits = rng.normal(size=(32, 200, 40)).astype("float32")
    labels = ops.convert_to_tensor(rng.integers(1, 40, (32, 30)))
    sizes = [ops.full((32,), n, dtype="int32") for n in (30, 200)]
    loss = losses.MaskedCTC()

    def ours(x: Any) -> Any:
        return loss(labels, x)

    def keras_ops(x: Any) -> Any:
        return ops.mean(ops.ctc_loss(labels, x, *sizes))

    calls = {
        "keras.ops.ctc_loss": made(keras_ops, [], logits),
        "keras_masking": made(ours, [], logits),
    }
    return "CTC, 32 x 200 steps x 40 classes, 30 labels", calls


def made(function: Any, layers: Any, x: Any) -> Callable[[], Any]:
    """A call for value and gradients; the value is a scalar or its pair."""
    from keras import ops

    from benchmarks.modes import Run
    from benchmarks.row import Contender

    inputs = [ops.convert_to_tensor(x)]
    contender = Contender(function, layers=layers, inputs=inputs)
    run = Run("fit", contender)
    run.weights = [ops.ones(())]
    return lambda: run.call(*inputs)[0]


def measure(seconds: float) -> None:
    """The lines of one backend, in this process."""
    import keras
    import numpy as np

    from benchmarks.timing import in_turns

    for row in (crf, ctc):
        title, calls = row()
        convert = keras.ops.convert_to_numpy
        values = {name: float(convert(call())) for name, call in calls.items()}
        first = next(iter(values.values()))
        if not np.allclose([*values.values()], first, rtol=1e-4):
            raise SystemExit(f"not the same: {values}")
        times = in_turns(calls, seconds, 9, 200)
        other = next(iter(times))
        ratio = np.median(np.divide(times["keras_masking"], times[other]))
        cells = f"{other} | {np.median(times[other]):.1f} | {ratio:.2f}"
        if other == "keras_masking":
            cells = "- | - | -"
        print(
            f"| {keras.backend.backend()} | {title} | "
            f"{np.median(times['keras_masking']):.1f} | {cells} |",
            flush=True,
        )


COLUMNS = "backend", "loss and gradients", "ms", "beside", "its ms", "ratio"
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_choices(parser)
    add_options(parser)
    options = parser.parse_args()
    seconds = 1.0 if options.quick else 15.0
    if options.here:
        measure(seconds)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    tabulate(
        "sequences",
        "Losses of sequences",
        f"Medians of rounds in turns, {seconds:.0f} s. A ratio is the median "
        "over the rounds of our time divided by the other's: below 1 ours is "
        "faster. The layer of the CRF is part of ours. PyTorch has one thread. "
        f"Load average at the start: {os.getloadavg()[0]:.1f}.",
        HEAD,
        **chosen(options),
    )


if __name__ == "__main__":
    main()
