"""Whole models: the examples, of our layers and of plain Keras.

Times an epoch of `fit` or a `predict`, as a user calls them, in turns after a
warm-up. The models differ in more than speed: the plain ones let padding in.
"""

import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks import timing

NAMES = "japanese_vowels speech_encoder transformer dilated_tcn stress_tagger"
MODELS = NAMES.split()
STEPS, SPEAKERS, FEATURES = 128, 9, 12
LIMITS = {"keras": 1.15}


def data(name: str, rows: int) -> tuple[Any, Any]:
    """Sequences of random lengths, half of it padding, and what they are."""
    random = np.random.default_rng(0)
    lengths = random.integers(1, STEPS + 1, (rows, 1))
    real = np.arange(STEPS) < lengths
    if name == "stress_tagger":
        ids = np.where(real, random.integers(1, 40, real.shape), 0)
        tags = np.eye(3, dtype="float32")[random.integers(0, 3, real.shape)]
        return ids.astype("int32"), tags
    x = random.normal(size=(*real.shape, FEATURES)) * real[..., None]
    return [x.astype("float32"), real], random.integers(0, SPEAKERS, rows)


def build(name: str, masked: bool) -> keras.Model:
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
    module = import_module(name)
    keras.utils.set_random_seed(0)
    model, loss = module.build(masked), "sparse_categorical_crossentropy"
    if name == "stress_tagger":
        loss = module.judges(True)["loss"] if masked else loss[7:]
    model.compile("adam", loss)
    return model


def measure(name: str, mode: str, rows: int, *how: Any) -> dict[str, Any]:
    """Times of `fit` or of `predict`, ours and plain, and their ratio."""
    x, y = data(name, rows)
    calls, first = {}, {}
    for side, masked in (("keras", False), ("ours", True)):
        given = (x, y) if mode == "fit" else (x,)
        run = getattr(build(name, masked), mode)
        calls[side] = partial(run, *given, batch_size=32, verbose=0)
        first[side] = {"first_ms": timing.timed(calls[side])}
    found = timing.compared(timing.in_turns(calls, *how))
    return {side: found[side] | first[side] for side in found}
