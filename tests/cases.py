"""Every layer, once per distinct behaviour, with its oracle.

A case makes a layer with fixed weights and computes its output for each row:
one vector if it pools, else a list of steps with `oracle.PADDING` where the
output step is not real.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_masking import layers
from tests import oracle
from tests.helpers import sample

FEATURES = 4


def weights(*shape: int, seed: int = 7) -> np.ndarray:
    """Fixed weights, independent of the backends' random numbers."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


@dataclass
class Case:
    name: str
    make: Callable[..., Any]
    row: Callable[[list, list], Any]
    width: int = FEATURES
    pools: bool = False
    zeroes: bool = True  # writes 0 at padding steps
    shortest: int = 1  # fewest steps for running a row alone
    columns: bool = False  # works on columns of the padded array
    of_none: int | None = 0  # output steps for no steps; None: fails
    biased: bool = False  # a convolution: its last weight is a bias
    reorders: bool = False  # sums in another order without a mask
    casts: bool = True  # to the dtype of its policy
    selects: bool = True  # a NaN at padding does not reach gradients
    kink: float | None = None  # where the derivative does not exist
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


def weighted(
    name: str,
    layer: type,
    row: Callable[..., list],
    shapes: list[tuple[int, ...]],
    *arguments: Any,
    width: int = FEATURES,
    pools: bool = False,
    shortest: int = 1,
    of_none: int | None = 0,
    biased: bool = False,
    reorders: bool = False,
    **config: Any,
) -> Case:
    """A layer whose oracle takes its weights, in order, after a row."""
    values = [weights(*shape, seed=7 + i) for i, shape in enumerate(shapes)]
    lists = [value.tolist() for value in values]

    def make(**kwargs: Any) -> keras.layers.Layer:
        made = layer(*arguments, **config, **kwargs)
        made.build((None, None, FEATURES))
        made.set_weights(values)
        return made

    return Case(
        name,
        make,
        lambda steps, mask: row(steps, mask, *lists),
        width=width,
        pools=pools,
        shortest=shortest,
        of_none=of_none if shortest == 1 else None,
        biased=biased,
        reorders=reorders,
    )


def conv(name: str, kernel_size: int = 3, **config: Any) -> Case:
    groups = config.get("groups", 1)
    span = (kernel_size - 1) * config.get("dilation_rate", 1)
    return weighted(
        f"conv-{name}",
        layers.MaskedConv1D,
        partial(oracle.convolution, **config),
        [(kernel_size, FEATURES // groups, 6), (6,)],
        6,
        kernel_size,
        width=6,
        shortest=1 if "padding" in config else span + 1,
        biased=True,
        **config,
    )


def depthwise(name: str, multiple: int = 1, **config: Any) -> Case:
    width = FEATURES * multiple
    return weighted(
        f"depthwise-{name}",
        layers.MaskedDepthwiseConv1D,
        partial(oracle.depthwise, **config),
        [(3, FEATURES, multiple), (width,)],
        3,
        width=width,
        shortest=1 if "padding" in config else 3,
        biased=True,
        depth_multiplier=multiple,
        **config,
    )


def separable(name: str, **config: Any) -> Case:
    return weighted(
        f"separable-{name}",
        layers.MaskedSeparableConv1D,
        partial(oracle.separable, **config),
        [(3, FEATURES, 1), (1, FEATURES, 6), (6,)],
        6,
        3,
        width=6,
        shortest=1 if "padding" in config else 5,
        biased=True,
        **config,
    )


def transposed(name: str, kernel_size: int = 3, **config: Any) -> Case:
    more = max(kernel_size - config.get("strides", 1), 0)
    return weighted(
        f"transposed-{name}",
        layers.MaskedConv1DTranspose,
        partial(oracle.transposed_convolution, **config),
        [(kernel_size, 6, FEATURES), (6,)],
        6,
        kernel_size,
        width=6,
        of_none=0 if "padding" in config else more,
        biased=True,
        **config,
    )


def around(name: str, layer: type) -> Case:
    """A wrapper whose inner layer computes in float64 on every backend."""

    def make(**kwargs: Any) -> keras.layers.Layer:
        made = layer(keras.layers.Rescaling(2.0, 1.0, **kwargs), **kwargs)
        made.build((None, None, FEATURES))
        return made

    def row(steps: list, mask: list) -> list:
        return passing([[2 * v + 1 for v in step] for step in steps], mask)

    return Case(name, make, row)


def window(name: str, size: int, strides: int, padding: str) -> Case:
    layer, function = {
        "average": (layers.MaskedAveragePooling1D, statistics.fmean),
        "max": (layers.MaskedMaxPooling1D, max),
    }[name]
    return Case(
        f"window-{name}-{padding}-{size}-{strides}",
        partial(layer, size, strides, padding),
        lambda steps, mask: oracle.window_pooling(
            steps, mask, function, size, strides, padding
        ),
        shortest=size if padding == "valid" else 1,
        of_none=None if padding == "valid" else 0,
    )


def group_norm(groups: int) -> Case:
    return weighted(
        f"group-norm-{groups}",
        layers.MaskedGroupNormalization,
        lambda steps, mask, *w: oracle.group_normalization(
            steps, mask, FEATURES if groups == -1 else groups, *w
        ),
        [(FEATURES,), (FEATURES,)],
        groups,
        reorders=True,
    )


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


def moved(
    name: str,
    make: Callable[..., Any],
    row: Callable[..., list],
    **facts: Any,
) -> Case:
    """A layer that moves steps, including padding."""
    return Case(name, make, row, zeroes=False, **facts)


def sine(place: int) -> list:
    """The sinusoid of a position, feature by feature."""
    angles = [place / 100.0 ** (f // 2 * 2 / FEATURES) for f in range(FEATURES)]
    return [math.cos(a) if f % 2 else math.sin(a) for f, a in enumerate(angles)]


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
    Case(
        "activation",
        layers.MyActivation,
        relu,
        zeroes=False,
        selects=False,
        kink=0.0,
    ),
    Case("attach", layers.AttachMask, passing, zeroes=False, casts=False),
    Case("apply", layers.ApplyMask, passing),
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
    depthwise("same-strides", padding="same", strides=2),
    depthwise("valid-multiple", multiple=2),
    separable("same-strides", padding="same", strides=2),
    separable("valid-dilation", dilation_rate=2),
    transposed("valid"),
    transposed("valid-strides", kernel_size=4, strides=2),
    transposed("valid-short-kernel", kernel_size=2, strides=3),
    *(
        []
        # Keras 3.12 begins them a step later on PyTorch, and warns of that.
        if (keras.backend.backend(), keras.version()[:4]) == ("torch", "3.12")
        else [transposed("same-strides", padding="same", strides=2)]
    ),
    transposed("output-padding", kernel_size=1, strides=3, output_padding=0),
    window("average", 2, 2, "valid"),
    window("average", 3, 1, "valid"),
    window("average", 3, 1, "same"),
    window("average", 3, 2, "same"),
    window("max", 2, 2, "valid"),
    window("max", 3, 2, "valid"),
    window("max", 4, 1, "same"),
    window("max", 3, 2, "same"),
    group_norm(1),
    group_norm(2),
    group_norm(-1),
    Case(
        "statistics",
        layers.StatisticsPooling1D,
        oracle.mean_and_std,
        pools=True,
    ),
    weighted(
        "attention-pooling",
        layers.AttentionPooling1D,
        oracle.attention,
        [(FEATURES, 5), (5,), (5, 2)],
        2,
        5,
        pools=True,
    ),
    pool(
        "average-position",
        layers.MaskedGlobalAveragePooling1D,
        oracle.pool_position,
        weighting="position",
    ),
    pool(
        "average-sqrtn",
        layers.MaskedGlobalAveragePooling1D,
        oracle.pool_sqrtn,
        weighting="sqrtn",
    ),
    Case("reverse", layers.TemporalReverse, oracle.reverse),
    Case("compact", layers.CompactSteps, oracle.compact),
    moved(
        "crop",
        partial(layers.MaskedCropping1D, (1, 2)),
        lambda steps, mask: passing(steps[1:-2], mask[1:-2]),
        columns=True,
        of_none=None,
    ),
    moved(
        "zero-padding",
        partial(layers.MaskedZeroPadding1D, (1, 2)),
        lambda steps, mask: passing(
            [None, *steps, None, None], [False, *mask, False, False]
        ),
        of_none=3,
    ),
    moved(
        "up-sampling",
        partial(layers.MaskedUpSampling1D, 3),
        lambda steps, mask: [s for s in passing(steps, mask) for _ in range(3)],
    ),
    weighted(
        "positions",
        layers.MaskedPositionEmbedding,
        lambda steps, mask, table: oracle.numbered(
            steps, mask, lambda k: table[k]
        ),
        [(60, FEATURES)],
        60,
    ),
    Case(
        "sine-positions",
        partial(layers.MaskedSinePositionEncoding, 100.0),
        lambda steps, mask: oracle.numbered(steps, mask, sine),
    ),
    around("keep", layers.KeepMask),
    around("time-distributed", layers.MaskedTimeDistributed),
]
WEIGHTED = [case for case in CASES if case.make().weights]
# Each layer once, and all with strides, to test unknown lengths.
KINDS = {type(case.make()): case for case in reversed(CASES)}
ONE_OF_EACH = [
    case
    for case in CASES
    if case in KINDS.values()
    or "strides" in case.name
    or "valid-3" in case.name
]
BY_LENGTH = [case for case in CASES if not case.columns]
X = sample(features=FEATURES)
