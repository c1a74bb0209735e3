"""Forecasts from a series with missing weeks, filled or masked.

    KERAS_BACKEND=jax python examples/missing_values.py

The data are the weekly concentrations of carbon dioxide in the air above Mauna
Loa from 1958 to 2001, in parts per million; 59 weeks were not measured. From a
history of half a year to five quarters, a network forecasts the next 13 weeks.
To make missing weeks matter, more are removed until a third of each history is
missing, in gaps as long as those of the series. The network is trained on the
years before 1986 and tested on those after.

A missing week is NaN. The usual way is to fill it first, here with zeros (the
last measured value), the mean, or a line between the neighbours, for a network
of plain Keras layers. The network of our layers gets the NaN: `NaNMask` makes a
mask of it, which the convolutions and the attention pooling obey.

Then the example measures the *drift*, in ppm: the network forecasts from each
history alone, without any padding, and again with padding, or with other values
in its gaps. The drift is the largest change in a forecast.

The series is smooth, so a line fills its gaps well: do not expect a lower error
from the mask. Its advantage is that only measured values influence the
forecast.
"""

from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress
from side_by_side import DATA
from side_by_side import OURS
from side_by_side import Report
from side_by_side import alone
from side_by_side import arguments
from side_by_side import change
from side_by_side import pad
from side_by_side import show

from keras_masking import layers

HISTORY = (26, 39, 52, 65)
AHEAD = 13
MISSING = 0.33
PPM = 3.0  # one unit of the networks' inputs and outputs
FILLINGS = ("zeros", "mean", "line")
ERROR, IN_BATCH = "error of the forecasts, ppm", "in a padded batch"


def load() -> tuple[np.ndarray, int]:
    """The series, NaN where a week is missing, and the first week of 1986."""
    with np.load(DATA / "co2_mauna_loa.npz") as data:
        days = np.datetime64("1986-01-01") - data["first_week"]
        return data["ppm"], int(days / np.timedelta64(7, "D")) + 1


def windows(
    ppm: np.ndarray, weeks: range, rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """Histories that end before each of these weeks, and the following values.

    A history has four features a week: the concentration above the last one
    measured, the distance from now in years, and the season as sine and cosine.
    """
    # The lengths of the gaps in the series.
    edges = np.diff(np.isnan(ppm).astype(int), prepend=0, append=0)
    gaps = np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0)
    histories, targets = [], []
    for now in weeks:
        target = ppm[now : now + AHEAD]
        past = np.arange(now - rng.choice(HISTORY), now)
        values = ppm[past]
        while np.isnan(values).mean() < MISSING:
            gap = rng.choice(gaps)
            start = rng.integers(1 - gap, len(values))
            values[max(start, 0) : start + gap] = np.nan
        measured = values[~np.isnan(values)]
        if np.isnan(target).any() or not measured.size:
            continue
        year = past / 52.18
        season = np.sin(2 * np.pi * year), np.cos(2 * np.pi * year)
        values = (values - measured[-1]) / PPM
        steps = np.stack([values, (past - now) / 52.18, *season], axis=-1)
        histories.append(steps.astype("float32"))
        targets.append((target - measured[-1]) / PPM)
    return histories, np.array(targets, "float32")


def fill(histories: list[np.ndarray], how: str | None) -> list[np.ndarray]:
    """The histories with their missing weeks filled, or unchanged."""
    result = [history.copy() for history in histories]
    for history in result:
        values = history[:, 0]
        gone = np.isnan(values)
        if how == "zeros":
            values[gone] = 0.0
        elif how == "mean":
            values[gone] = values[~gone].mean()
        elif how == "line":
            where = np.arange(len(values))
            values[gone] = np.interp(where[gone], where[~gone], values[~gone])
    return result


def attention(x: Any, mask: Any) -> Any:
    """`AttentionPooling1D(4, 32)` in plain Keras layers."""
    scores = keras.layers.Dense(32, activation="tanh")(x)
    scores = keras.layers.Dense(4, use_bias=False)(scores)
    weights = keras.layers.Softmax(axis=1)(scores, mask=mask[:, :, None])
    return keras.layers.Flatten()(keras.layers.Dot(axes=1)([weights, x]))


def build(masked: bool) -> keras.Model:
    """The network, with our layers or with plain Keras layers."""
    inputs = keras.Input((None, 4), name="steps")
    mask = keras.Input((None,), dtype="bool", name="mask")
    x = inputs
    conv = keras.layers.Conv1D
    if masked:
        conv = layers.MaskedConv1D
        x = layers.AttachMask()(x, mask=mask)
        x = layers.NaNMask(missing="any")(x)
    for _ in range(2):
        x = conv(32, 5, padding="same", activation="relu")(x)
    x = layers.AttentionPooling1D(4, 32)(x) if masked else attention(x, mask)
    return keras.Model([inputs, mask], keras.layers.Dense(AHEAD)(x))


def drifts(
    model: keras.Model,
    histories: list[np.ndarray],
    how: str | None,
    reference: np.ndarray,
) -> dict[str, float]:
    """The largest changes in forecasts, in ppm, from histories alone."""
    given = fill(histories, how)

    def drift(batch: list[np.ndarray]) -> float:
        return PPM * change(model.predict_on_batch(batch), reference)

    result = {
        IN_BATCH: drift(pad(given)),
        "52 more weeks after": drift(pad(given, 52)),
        "52 more weeks before": drift(pad(given, 52, "pre")),
        "padding holds NaN": drift(pad(given, fill=np.nan)),
    }
    steps, mask = pad(histories)
    if how is None:
        # After filling, the values no longer show which weeks are missing.
        mask = mask & ~np.isnan(steps).any(axis=-1)
    for other in FILLINGS:
        steps, _ = pad(fill(histories, other))
        result[f"gaps hold {other}"] = drift([steps, mask])
    return result


def run(
    epochs: int = 40, seed: int = 0, console: Console | None = None
) -> dict[str, dict[str, Any]]:
    """Trains and measures all models: error and `drift` of each."""
    ppm, split = load()
    rng = np.random.default_rng(seed)
    train, targets = windows(ppm, range(max(HISTORY), split - AHEAD), rng)
    test, truth = windows(ppm, range(split, len(ppm) - AHEAD + 1), rng)
    results = {}
    with Progress(console=console, transient=True) as progress:
        for how in (*FILLINGS, None):
            title = how or OURS
            keras.utils.set_random_seed(seed)
            model = build(how is None)
            rate = keras.optimizers.schedules.CosineDecay(
                3e-3, epochs * -(-len(train) // 64)
            )
            model.compile(keras.optimizers.Adam(rate), loss="mse")
            model.fit(
                pad(fill(train, how)),
                targets,
                batch_size=64,
                epochs=epochs,
                verbose=0,
                callbacks=[Report(progress, title, epochs)],
            )
            forecasts = alone(model, fill(test, how))
            results[title] = {
                ERROR: PPM * float(np.sqrt(np.mean((forecasts - truth) ** 2))),
                "drift": drifts(model, test, how, forecasts),
            }
    return results


def conclude(results: dict[str, dict[str, Any]]) -> str:
    """The results in words."""
    error = results[OURS][ERROR]
    drift = max(results[OURS]["drift"].values())
    filled = {name: r for name, r in results.items() if name != OURS}
    best = min(filled, key=lambda name: filled[name][ERROR])
    moved = max(r["drift"][IN_BATCH] for r in filled.values())
    ratio = filled[best][ERROR] / error
    verdict = "no real difference"
    if not 0.95 < ratio < 1.05:
        verdict = f"{'filling' if ratio < 1 else 'the mask'} does better"
    return (
        f"Error {error:.2f} ppm with the mask, {filled[best][ERROR]:.2f} with "
        f"the best filling ({best}): {verdict}. The benefit of the mask: its "
        f"forecasts move by {drift:.1e} ppm at most, whatever the padding "
        f"and the values in the gaps. Those of filled histories move by up to "
        f"{moved:.2f} ppm in a padded batch."
    )


def main() -> None:
    """Runs the example from the command line."""
    given = arguments(__doc__, epochs=40)
    console = Console()
    results = run(given.epochs, given.seed, console)
    show(results, console, "Gaps filled, or masked")
    console.print(conclude(results))


if __name__ == "__main__":
    main()
