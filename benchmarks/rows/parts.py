"""What the formulas are made of: why a target can or cannot be met."""

from typing import Any

import numpy as np
from keras import ops

from benchmarks.row import FIVE
from benchmarks.row import FLOOR
from benchmarks.row import OURS
from benchmarks.row import Contender
from benchmarks.row import Rows
from benchmarks.rows.reductions import op
from benchmarks.rows.reductions import plain
from keras_masking import ops as ours

rows = Rows("parts", {"shapes": FIVE, "takes_nan": False})


def product(x: Any, m: Any) -> Any:
    return ops.matmul(ops.cast(m, x.dtype)[:, None], x)


def scaled(x: Any, m: Any) -> Any:
    return x * ops.cast(m, x.dtype)[..., None]


def selected(x: Any, m: Any) -> Any:
    return ops.where(m[..., None], x, ops.zeros((), x.dtype))


def biased(x: Any, m: Any) -> Any:
    edge = ops.cast(-np.inf, x.dtype)
    return x + ops.where(m, ops.zeros((), x.dtype), edge)[..., None]


def ten_small(x: Any, m: Any) -> Any:
    """What it takes to ask ten questions of the mask."""
    y = ops.cast(m, x.dtype)
    for _ in range(10):
        y = y * 2.0
    return y


@rows.add("parts", "masked_mean", "none", modes=("predict",))
def parts(b: Any) -> dict[str, Contender]:
    return {
        FLOOR: plain(lambda x: ops.mean(x, axis=1)),
        OURS: op(ours.masked_mean),
        "a product with the mask": op(product),
        "a copy, scaled": op(scaled),
        "a copy, selected": op(selected),
        "a copy, with a bias": op(biased),
        "ten operations on the mask": op(ten_small),
    }
