"""Draws a batch padded, in buckets and packed, for the page "Less padding".

python -m tools.make_batches
"""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from keras_masking.batching import BucketedBatches
from keras_masking.batching import pack

PATH = Path(__file__).parents[1] / "docs" / "images" / "batches.png"
LENGTHS = [3, 24, 7, 5, 11, 2, 16, 6, 8, 3, 20, 8]
COLOURS = plt.get_cmap("tab20").colors
PADDING = (0.93, 0.93, 0.93)


def pictures() -> dict[str, list[np.ndarray]]:
    """The batches of each way: the number of a step's sequence, or 0."""
    numbers = [np.full(n, i + 1) for i, n in enumerate(LENGTHS)]
    found = {}
    for name, buckets in (("padded", 1), ("three buckets", 3)):
        batches = BucketedBatches(
            numbers, buckets=buckets, batch_size=12 // buckets, shuffle=False
        )
        found[name] = sorted((x for (x,) in batches), key=lambda x: x.shape[1])
    plan = pack(LENGTHS, max(LENGTHS), order="decreasing")
    found["packed"] = [plan.pack(numbers)]
    return found


def draw(axes: Axes, batches: list[np.ndarray]) -> None:
    """Batches, one below the other, a square for each step."""
    top = 0
    for x in batches:
        for row in x:
            for step, number in enumerate(row):
                colour = COLOURS[(number - 1) % 20] if number else PADDING
                axes.add_patch(
                    plt.Rectangle((step, top), 0.92, 0.88, color=colour, lw=0)
                )
            top += 1
        top += 0.6
    axes.set_xlim(0, max(LENGTHS))
    axes.set_ylim(14, 0)
    axes.axis("off")


def main() -> None:
    """Writes the picture."""
    figure, panels = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
    for axes, (name, batches) in zip(panels, pictures().items()):
        steps = sum(x.size for x in batches)
        share = 1 - sum(LENGTHS) / steps
        axes.set_title(f"{name}: {steps} steps, {share:.0%} padding", size=10)
        draw(axes, batches)
    figure.savefig(PATH, dpi=150, facecolor="white")
    plt.close(figure)


if __name__ == "__main__":
    main()
