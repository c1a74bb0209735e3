"""Networks of aeon, which by itself takes series of one length only."""

from typing import Any

import keras
import numpy as np
from aeon.networks import EncoderNetwork
from aeon.networks import FCNNetwork

from tools.wild.examples import Example
from tools.wild.rows import Row
from tools.wild.rows import behind_masking

SMALL = {"n_filters": [4, 4, 4], "kernel_size": [3, 3, 3]}


def fcn() -> Example:
    network = FCNNetwork(**SMALL)
    return behind_masking(keras.Model(*network.build_network((None, 3))))


def encoder() -> Example:
    """Flattens its steps, so their number is fixed: 16 become 4.

    The padding is a row of a table: another row is other padding.
    """
    lengths, steps = (16, 12, 9), 16
    network = EncoderNetwork(**SMALL, fc_units=4)
    inner = keras.Model(*network.build_network((steps, 3)))
    ids = np.random.default_rng(0).integers(1, 30, (3, steps))
    ids[np.arange(steps) >= np.array(lengths)[:, None]] = 0
    x = keras.Input((steps,), dtype="int32")
    table = keras.layers.Embedding(30, 3, mask_zero=True, name="table")
    model = keras.Model(x, inner(table(x)))

    def other_padding(model: Any) -> tuple[Any, np.ndarray]:
        other = keras.models.clone_model(model)
        other.set_weights(model.get_weights())
        rows = other.get_layer("table").get_weights()[0]
        rows[0] += 1.0
        other.get_layer("table").set_weights([rows])
        return other, ids

    return Example(model, ids, 0, lengths, False, other_padding)


ROWS = [
    Row("FCN", fcn, guilty=("conv1d",)),
    Row("Encoder", encoder, guilty=("conv1d",), unmeasured="fixed number"),
]
