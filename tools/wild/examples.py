"""A model, a padded batch, and how far padding moves it, measured by hand.

Plain NumPy and `predict`; nothing of `keras_masking` takes part.
"""

from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

MORE = 8  # padding steps that are added
ROUNDING = 2e-5  # relative to the largest value of the outputs


@dataclass
class Example:
    """A model and its inputs, which are a dict, a list or one array.

    Attributes:
        model: The model.
        inputs: A padded batch. All inputs with steps have them on axis 1.
        padding: What padding steps hold, in the structure of `inputs`; None for
            an input without steps.
        lengths: The number of real steps of each row.
        steps: Whether the outputs have the steps of the inputs.
        other: For a model that takes this number of steps only: makes a model
            with the same weights, and inputs with other padding for it.
    """

    model: Any
    inputs: Any
    padding: Any
    lengths: tuple[int, ...]
    steps: bool = True
    other: Callable[[Any], tuple[Any, Any]] | None = None


@dataclass(frozen=True)
class Moved:
    """How far real outputs move, and how large they are."""

    drift: float
    size: float

    @property
    def counts(self) -> bool:
        return not self.drift <= ROUNDING * max(self.size, 1.0)

    def __str__(self) -> str:
        return f"{self.drift:.1e}" if self.counts or self.drift else "0"


def changed(example: Example, change: Callable[..., Any]) -> Any:
    """The inputs, with each that has steps changed: `change(x, value)`."""
    one = not isinstance(example.inputs, (dict, list))
    if one:
        return change(example.inputs, example.padding)
    pairs = (
        example.inputs.items()
        if isinstance(example.inputs, dict)
        else enumerate(example.inputs)
    )
    made = {
        key: x if (value := example.padding[key]) is None else change(x, value)
        for key, x in pairs
    }
    return made if isinstance(example.inputs, dict) else list(made.values())


def longer(example: Example, count: int = MORE) -> Any:
    """The inputs with more padding."""

    def pad(x: np.ndarray, value: Any) -> np.ndarray:
        width = [(0, 0), (0, count), *[(0, 0)] * (x.ndim - 2)]
        return np.pad(x, width, constant_values=value)

    return changed(example, pad)


def alone(example: Example, row: int) -> Any:
    """One row without its padding."""
    count = example.lengths[row]
    cut = changed(example, lambda x, value: x[:, :count])
    return keras.tree.map_structure(lambda x: x[row : row + 1], cut)


def predictions(model: Any, inputs: Any) -> list[np.ndarray]:
    """The outputs as float64, in a list."""
    found = keras.tree.flatten(model.predict(inputs, verbose=0))
    return [np.asarray(y, "float64") for y in found]


def drift(example: Example, model: Any = None) -> Moved:
    """How far other padding moves the real outputs of a model."""
    model = model or example.model
    base = predictions(model, example.inputs)
    worst = max(float(np.abs(y).max()) for y in base)
    moved = 0.0
    for rows, other in _others(example, model):
        for y, z in zip(base, other):
            for row, twin in zip(rows, z):
                mine = y[row]
                if example.steps and mine.ndim > 1:
                    count = example.lengths[row]
                    mine, twin = mine[:count], twin[:count]
                moved = max(moved, float(np.abs(mine - twin).max()))
    return Moved(moved, worst)


def _others(
    example: Example, model: Any
) -> Iterator[tuple[list[int], list[np.ndarray]]]:
    """Rows, and what the model predicts for them with other padding."""
    every = list(range(len(example.lengths)))
    if example.other is not None:
        yield every, predictions(*example.other(model))
        return
    yield every, predictions(model, longer(example))
    for row in every:
        yield [row], predictions(model, alone(example, row))
