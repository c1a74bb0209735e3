"""Every layer once per behaviour worth telling apart, with its oracle.

A case makes a layer with fixed weights and says, row by row, what it gives:
one vector if it pools, else a list of steps with `oracle.PADDING` where the
output step is not real.
"""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import keras
import numpy as np

from keras_masking import layers
from tests import oracle
from tests.helpers import sample

FEATURES = 4


def weights(*shape: int, seed: int = 7) -> np.ndarray:
    """Fixed weights that no backend's random numbers made."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@dataclass
class Case:
    name: str
    make: Callable[..., Any]
    row: Callable[[list, list], Any]
    width: int = FEATURES
    pools: bool = False
    zeroes: bool = True  # writes 0 at padding steps
    columns: bool = False  # speaks of columns of the padded array
    outputs: Callable[[Any], Any] = field(default=lambda y: y)

    def __str__(self) -> str:
        return self.name

    def expected(self, x: np.ndarray, mask: np.ndarray) -> tuple[Any, Any]:
        """Outputs, 0 at padding steps, and the output mask (None: pooled)."""
        rows = [
            self.row(x_row, mask_row)
            for x_row, mask_row in zip(x.tolist(), mask.tolist())
        ]
        if self.pools:
            return np.array(rows), None
        real = np.array([[s is not oracle.PADDING for s in r] for r in rows])
        filled = [
            [[0.0] * self.width if s is oracle.PADDING else s for s in r]
            for r in rows
        ]
        return np.array(filled), real


def conv(name: str, **config: Any) -> Case:
    kernel_size, groups = config.pop("kernel_size", 3), config.get("groups", 1)
    kernel = weights(kernel_size, FEATURES // groups, 6)
    bias = weights(6, seed=8)

    def make(**kwargs: Any) -> keras.layers.Layer:
        layer = layers.MaskedConv1D(6, kernel_size, **config, **kwargs)
        layer.build((None, None, FEATURES))
        layer.set_weights([kernel, bias])
        return layer

    def row(steps: list, mask: list) -> list:
        return oracle.convolution(
            steps, mask, kernel.tolist(), bias.tolist(), **config
        )

    return Case(f"conv-{name}", make, row, width=6)


def pool(
    name: str, layer: type, row: Callable[..., list], **config: Any
) -> Case:
    def make(**kwargs: Any) -> keras.layers.Layer:
        return layer(**config, **kwargs)

    empty = config.get("empty_value", 0.0)
    return Case(
        name, make, lambda steps, mask: row(steps, mask, empty), pools=True
    )


def passing(steps: list, mask: list) -> list:
    return [s if real else oracle.PADDING for s, real in zip(steps, mask)]


def relu(steps: list, mask: list) -> list:
    clipped = [[max(value, 0.0) for value in step] for step in steps]
    return passing(clipped, mask)


def second_piece(steps: list, mask: list) -> list:
    start = (len(steps) + 1) // 2
    return passing(steps[start:], mask[start:])


CASES = [
    pool("average", layers.MaskedGlobalAveragePooling1D, oracle.pool_mean),
    pool(
        "average-empty-value",
        layers.MaskedGlobalAveragePooling1D,
        oracle.pool_mean,
        empty_value=-3.0,
    ),
    pool("max", layers.MaskedGlobalMaxPooling1D, oracle.pool_max),
    pool("min", layers.MaskedGlobalMinPooling1D, oracle.pool_min),
    pool("sum", layers.MaskedGlobalSumPooling1D, oracle.pool_sum),
    pool("first", layers.FirstStep, oracle.pool_first),
    pool("last", layers.LastStep, oracle.pool_last),
    Case("softmax", layers.TemporalSoftmax, oracle.softmax),
    Case("activation", layers.MyActivation, relu, zeroes=False),
    Case("attach", layers.AttachMask, passing, zeroes=False),
    Case(
        "split",
        layers.TemporalSplit,
        second_piece,
        zeroes=False,
        columns=True,
        outputs=lambda y: y[1],
    ),
    conv("valid"),
    conv("same", padding="same"),
    conv("same-even", padding="same", kernel_size=4),
    conv("causal", padding="causal"),
    conv("valid-strides", strides=2),
    conv("same-strides", padding="same", strides=2),
    conv("same-wide-strides", padding="same", strides=2, kernel_size=5),
    conv("same-short-kernel", padding="same", strides=2, kernel_size=1),
    conv("causal-strides", padding="causal", strides=2),
    conv("valid-dilation", dilation_rate=2),
    conv("same-dilation", padding="same", dilation_rate=2),
    conv("causal-dilation", padding="causal", dilation_rate=3),
    conv("groups", padding="same", groups=2),
]
CONVOLUTIONS = [case for case in CASES if case.name.startswith("conv")]
BY_LENGTH = [case for case in CASES if not case.columns]
X = sample(features=FEATURES)
