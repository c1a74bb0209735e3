"""Whole models: the examples, of our layers and of plain Keras.

An epoch of `fit` and a `predict`, as a user calls them, in turns after a
warm-up. The two differ in more than speed: the plain ones let padding in.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks import timing

EXAMPLES = Path(__file__).parents[1] / "examples"
MODELS = (
    "japanese_vowels",
    "speech_encoder",
    "transformer",
    "dilated_tcn",
    "stress_tagger",
)
ROWS, STEPS, BATCH, SPEAKERS, FEATURES = 256, 128, 32, 9, 12
LIMIT = 1.15


def example(name: str) -> Any:
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    return import_module(name)


def data(name: str, rows: int = ROWS) -> tuple[Any, Any]:
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
    module = example(name)
    keras.utils.set_random_seed(0)
    model = module.build(masked)
    if name == "stress_tagger":
        judges = {"loss": "categorical_crossentropy"}
        if masked:
            judges = {"loss": module.judges(True)["loss"]}
    else:
        judges = {"loss": "sparse_categorical_crossentropy"}
    model.compile("adam", **judges)
    return model


def measure(name: str, seconds: float, quick: bool) -> dict[str, Any]:
    """Times of `fit` and of `predict`, ours and plain, and their ratios."""
    x, y = data(name, 2 * BATCH if quick else ROWS)
    found: dict[str, Any] = {"limit": LIMIT}
    models = {"keras": build(name, False), "ours": build(name, True)}
    for what in ("fit", "predict"):

        def call(model: keras.Model, what: str = what) -> Any:
            if what == "fit":
                return model.fit(x, y, batch_size=BATCH, verbose=0)
            return model.predict(x, batch_size=BATCH, verbose=0)

        calls = {
            side: lambda model=model: call(model)
            for side, model in models.items()
        }
        first = {
            f"first_{side}_ms": 1e3 * timing.timed(call_)
            for side, call_ in calls.items()
        }
        times = timing.in_turns(calls, seconds / 2, (3, 50))
        middle = {
            side: 1e3 * timing.spread(values)["median"]
            for side, values in times.items()
        }
        spread = timing.ratios(times["ours"], times["keras"])
        # Of medians: a run of `fit` is long, and its outliers stand alone.
        ratio = {**spread, "median": middle["ours"] / middle["keras"]}
        found[what] = {
            **first,
            "keras_ms": middle["keras"],
            "ours_ms": middle["ours"],
            "ratio": ratio,
            "rounds": len(times["ours"]),
        }
    return found
