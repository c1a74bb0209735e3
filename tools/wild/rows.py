"""A row of the table: a model of a package, and what is known about it."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from tools.wild.examples import Example

LENGTHS = (6, 4, 2)


@dataclass(frozen=True)
class Row:
    """A model, and what only a reader of its code can know.

    Attributes:
        name: The model.
        make: Makes it, with inputs.
        guilty: Calls that may be blamed if padding moves the model: a part of
            their path.
        raises: Part of the error, if the model fails on padded rows by itself.
        unmeasured: Part of the reason, if padding can't be measured even when
            it is known.
        refuses: Part of the reason for which `convert` refuses the model.
    """

    name: str
    make: Callable[[], Example]
    guilty: tuple[str, ...] = ()
    raises: str = ""
    unmeasured: str = ""
    refuses: str = ""


def ids(pad: int = 0, low: int = 4, high: int = 24) -> np.ndarray:
    """Padded ids of three rows."""
    made = np.random.default_rng(0).integers(low, high, (3, max(LENGTHS)))
    made[~real()] = pad
    return made.astype("int32")


def series(features: int = 3, pad: float = 0.0) -> np.ndarray:
    """Padded series of three rows."""
    shape = (3, max(LENGTHS), features)
    made = np.random.default_rng(0).normal(size=shape)
    made[~real()] = pad
    return made.astype("float32")


def real() -> np.ndarray:
    """True at real steps."""
    return np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]


def masked(
    block: Callable[[keras.KerasTensor], keras.KerasTensor], steps: bool = False
) -> Example:
    """Ids, an embedding with a mask, and a block."""
    x = keras.Input((None,), dtype="int32")
    y = block(keras.layers.Embedding(30, 8, mask_zero=True)(x))
    return Example(keras.Model(x, y), ids(), 0, LENGTHS, steps)


def behind_masking(
    block: Callable[[keras.KerasTensor], keras.KerasTensor], steps: bool = False
) -> Example:
    """Series, `Masking`, and a block."""
    x = keras.Input((None, 3))
    y = block(keras.layers.Masking()(x))
    return Example(keras.Model(x, y), series(), 0, LENGTHS, steps)
