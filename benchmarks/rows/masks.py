"""Masks are made, counted and handed on: little to compute."""

from collections.abc import Callable
from typing import Any

from keras import ops

from benchmarks.row import FLOOR
from benchmarks.row import OURS
from benchmarks.row import SMALL
from benchmarks.row import Contender
from benchmarks.row import Rows
from benchmarks.rows.reductions import masked
from benchmarks.rows.reductions import plain
from keras_masking import layers
from keras_masking import ops as ours

COPIES = "none; the floor copies"
rows = Rows("masks", {"shapes": SMALL, "modes": ("predict",)})


def two(
    floor: Callable[[Any], Any], mine: Callable[[Any], Any]
) -> dict[str, Contender]:
    """Functions of the mask alone."""
    return {
        FLOOR: Contender(lambda x, m: floor(m)),
        OURS: Contender(lambda x, m: mine(m)),
    }


def handed_on(layer: Any) -> dict[str, Contender]:
    return {FLOOR: plain(ops.copy), OURS: masked(layer)}


@rows.add("attach", "AttachMask", COPIES)
def attach(b: Any) -> dict[str, Contender]:
    return handed_on(layers.AttachMask(dtype=b.dtype))


@rows.add("apply", "ApplyMask", COPIES)
def apply(b: Any) -> dict[str, Contender]:
    return handed_on(layers.ApplyMask(dtype=b.dtype))


@rows.add("drop", "DropMask", COPIES)
def drop(b: Any) -> dict[str, Contender]:
    return handed_on(layers.DropMask(dtype=b.dtype))


@rows.add("require", "RequireMask", COPIES)
def require(b: Any) -> dict[str, Contender]:
    return handed_on(layers.RequireMask(dtype=b.dtype))


@rows.add("get", "GetMask", "none; the floor copies the mask")
def get(b: Any) -> dict[str, Contender]:
    layer = layers.GetMask(dtype=b.dtype)
    return {
        FLOOR: Contender(lambda x, m: ops.copy(m)),
        OURS: masked(layer),
    }


@rows.add("nan_mask", "NaNMask", "none; the floor is nan_to_num")
def nan_mask(b: Any) -> dict[str, Contender]:
    layer = layers.NaNMask(dtype=b.dtype)
    return {
        FLOOR: plain(ops.nan_to_num),
        OURS: plain(layer, layer),
    }


@rows.add("length_mask", "LengthMask", COPIES, takes_nan=False)
def length_mask(b: Any) -> dict[str, Contender]:
    layer = layers.LengthMask(dtype=b.dtype)

    def inputs(b: Any) -> tuple[Any, ...]:
        return b.x, b.real_lengths

    return {
        FLOOR: Contender(lambda x, n: ops.copy(x), (), inputs),
        OURS: Contender(lambda x, n: layer([x, n]), (), inputs),
    }


@rows.add("mask_to_lengths", "mask_to_lengths", "none; a sum", takes_nan=False)
def mask_to_lengths(b: Any) -> dict[str, Contender]:
    def count(mask: Any) -> Any:
        return ops.sum(ops.cast(mask, "int32"), axis=1)

    return two(count, ours.mask_to_lengths)


@rows.add("step_index", "step_index", "none; a cumulated sum", takes_nan=False)
def step_index(b: Any) -> dict[str, Contender]:
    def number(mask: Any) -> Any:
        return ops.cumsum(ops.cast(mask, "int32"), axis=1)

    return two(number, ours.step_index)


@rows.add("window_mask", "window_mask(3, 2)", "none; a slice", takes_nan=False)
def window_mask(b: Any) -> dict[str, Contender]:
    return two(
        lambda m: ops.copy(m[:, :-2:2]), lambda m: ours.window_mask(m, 3, 2)
    )


@rows.add(
    "transposed_window_mask",
    "transposed_window_mask(3, 2)",
    "none; repeated",
    takes_nan=False,
)
def transposed_window_mask(b: Any) -> dict[str, Contender]:
    return two(
        lambda m: ops.repeat(m, 2, axis=1),
        lambda m: ours.transposed_window_mask(m, 3, 2),
    )
