"""The example inputs of a layer: generated, or those of its author."""

from collections.abc import Container
from typing import Any

import keras
import numpy as np

from keras_masking.contract.case import Case
from keras_masking.contract.harness import batches

SHAPE = (3, 6, 4)


def example(
    case: Case,
    shape: tuple[int, int, int] | None,
    seed: int,
    others: Container[int] = (),
) -> tuple[Any, tuple[np.ndarray, ...]]:
    """The structure of the inputs, and its leaves in the requested shape.

    Those in `others` keep their axes but for the rows.
    """
    rng = np.random.default_rng(seed)
    if case.inputs is None:
        shape = shape or SHAPE
        x = rng.normal(size=shape)
        # A step of zeros and a row of negative values reveal a layer that takes
        # zeros for padding, or a maximum over padding.
        if shape[1] > 2:
            x[0, 1] = 0.0
        x[-1] = -np.abs(x[-1]) - 0.1
        return 0, (x.round(2).astype("float32"),)
    leaves = [np.asarray(x) for x in keras.tree.flatten(case.inputs)]
    leaves = [
        x.astype("float32") if x.dtype == "float64" else x for x in leaves
    ]
    structure = keras.tree.map_structure(lambda _: 0, case.inputs)
    if shape is not None:
        rows, steps, _ = shape
        leaves = [
            resize(x, rows, 0 if i in others else steps)
            for i, x in enumerate(leaves)
        ]
    return structure, tuple(leaves)


def resize(x: np.ndarray, rows: int, steps: int) -> np.ndarray:
    """`x` repeated or cut to that many rows, and steps if it has some."""
    x = np.resize(x, (rows, *x.shape[1:])) if rows > len(x) else x[:rows]
    if not steps or not batches.is_sequence(x):
        return x
    if steps > x.shape[1]:
        times = -(-steps // x.shape[1])
        x = np.concatenate([x] * times, axis=1)
    return x[:, :steps]


def fit_rows(kwargs: Any, rows: int) -> tuple[np.ndarray, ...]:
    return tuple(
        resize(leaf, rows, leaf.shape[1] if leaf.ndim > 1 else 0)
        for leaf in keras.tree.flatten(dict(kwargs))
        if isinstance(leaf, np.ndarray) and leaf.ndim
    )
