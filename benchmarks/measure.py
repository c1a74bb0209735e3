"""One cell: the contenders of a row at a shape, in a dtype and a mode."""

import re
from collections import defaultdict
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from benchmarks import timing
from benchmarks.batch import batch
from benchmarks.modes import Run
from benchmarks.peers import peers
from benchmarks.row import Contender
from benchmarks.row import Row
from benchmarks.row import Shape

Found = dict[str, dict[str, Any]]


def first_line(error: BaseException) -> str:
    """What a table says of it, without anybody's folders."""
    line = re.sub(r"(/[\w.+-]+)+/", "", f"{error}".strip().split("\n")[0])
    return f"{type(error).__name__}: {line[:200]}".replace("|", "/")


def build(contender: Contender) -> None:
    """Gives the layers of a contender weights: the same on each backend."""
    if contender.layers:  # a symbolic call computes nothing
        kind = keras.backend.standardize_dtype
        like = [(tuple(x.shape), kind(x.dtype)) for x in contender.inputs]
        contender.function(*(keras.KerasTensor(*one) for one in like))
    for layer in contender.layers:
        normal = partial(np.random.default_rng(5).normal, 0.0, 0.1)
        layer.set_weights([normal(w.shape) for w in layer.weights])


def measure(
    row: Row, mode: str, dtype: str, shape: Shape, main: bool, *how: Any
) -> Found:
    """Times, ratios, first calls, temporaries; of what fails, why.

    At the `main` shape ours is timed with other padding too.
    """
    data, found, runs = batch(shape, dtype), {}, {}
    for name, make in (row.makers | peers(row.name)).items():
        try:
            build(contender := make(data))
            run, inputs = Run(mode, contender), contender.inputs
            first = timing.timed(partial(run.call, *inputs))
            found[name], runs[name] = {"first_ms": first}, (run, inputs)
        except Exception as error:
            found[name] = {"error": first_line(error)}
    if main and mode == "predict" and "ours" in runs:
        others = {f"ours, {p:.0%}": (p, False) for p in row.paddings}
        for name, padding in (others | {"ours, NaN": (0.5, True)}).items():
            if name != "ours, NaN" or row.nan:
                inputs = row.ours.make(batch(shape, dtype, *padding)).inputs
                runs[name] = runs["ours"][0], inputs  # not compiled anew
                runs["ours"][0].call(*inputs)
    for name, record in times(runs, *how).items():
        found.setdefault(name, {}).update(record)
    for name in {"floor", "keras", "ours"} & set(runs):
        run, inputs = runs[name]
        if run.memory and dtype == "float32" and mode in ("predict", "fit"):
            size = sum(ops.convert_to_numpy(x).nbytes for x in inputs)
            found[name]["memory"] = round(run.memory(*inputs) / size, 4)
    return found


def times(runs: dict[str, Any], seconds: float, least: int, most: int) -> Found:
    """All that reads the same tensor in turns, as it stays in the cache.

    Then what reads another one, in turns with the floor or Keras' layer.
    """
    base = next((name for name in ("floor", "keras") if name in runs), "")
    calls = {name: partial(run.call, *x) for name, (run, x) in runs.items()}
    readers, found = defaultdict(list), {}
    for name, (_, inputs) in runs.items():
        readers[id(inputs[0])].append(name)
    for names in readers.values():
        turns = {n: calls[n] for n in calls if n in (base, *names)}
        share = seconds if base in names else seconds / 4
        result = timing.compared(timing.in_turns(turns, share, least, most))
        found |= {name: result[name] for name in names}
    return found
