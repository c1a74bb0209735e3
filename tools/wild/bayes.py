"""Summary networks of bayesflow behind `Masking`."""

from collections.abc import Callable
from typing import Any

import keras
from bayesflow import networks

from tools.wild.examples import Example
from tools.wild.rows import LENGTHS
from tools.wild.rows import Row
from tools.wild.rows import series

SUBCLASSED = "must be a Functional or Sequential model"
ATTENTION = {"embed_dims": (8,), "num_heads": (2,)}


class Behind(keras.Model):
    """On PyTorch, the networks cannot be built for any number of steps."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.masking = keras.layers.Masking()
        self.network = network

    def call(self, inputs: Any) -> Any:
        return self.network(self.masking(inputs))


def behind(name: str, **config: Any) -> Callable[[], Example]:
    def make() -> Example:
        network = getattr(networks, name)(summary_dim=4, **config)
        return Example(Behind(network), series(), 0, LENGTHS, steps=False)

    return make


ROWS = [
    Row(
        "TimeSeriesNetwork",
        behind("TimeSeriesNetwork", filters=4, recurrent_dim=8),
        guilty=("conv",),
        refuses=SUBCLASSED,
    ),
    Row(
        "SetTransformer",
        behind("SetTransformer", **ATTENTION),
        guilty=("attention",),
        refuses=SUBCLASSED,
    ),
    Row(
        "TimeSeriesTransformer",
        behind("TimeSeriesTransformer", **ATTENTION),
        guilty=("time2_vec",),
        refuses=SUBCLASSED,
    ),
    Row(
        "DeepSet",
        behind("DeepSet", embed_dim=8, mlp_widths=(8,)),
        guilty=("equivariant",),
        refuses=SUBCLASSED,
    ),
]
