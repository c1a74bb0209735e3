"""A weight for each step by its class: `class_weight` in losses and metrics."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_masking._arguments import is_whole
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.dtypes import clip_to_int32
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import wide_dtype
from keras_masking.ops.targets import Score
from keras_masking.ops.targets import read_weights

ClassWeight = Mapping[int, float]
WEIGHTS = (int, float, np.integer, np.floating)


def read_class_weight(caller: str, given: Any) -> dict[int, float] | None:
    """`class_weight` as a dict of Python numbers, sorted by class."""
    if given is None:
        return None
    if not isinstance(given, Mapping) or not all(
        is_whole(c) and c >= 0 and isinstance(w, WEIGHTS) and 0 <= w < math.inf
        for c, w in given.items()
    ):
        raise ValueError(
            describe(
                caller,
                "`class_weight` must map classes, integers from 0, to finite "
                "weights that are not negative.",
                "For example {0: 1.0, 1: 5.0}; a class without an entry has "
                "weight 1.",
                class_weight=repr(given),
            )
        )
    return {int(c): float(given[c]) for c in sorted(given)}


class WeighsClasses(Score):
    """A loss or a metric with the argument `class_weight`."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = config.get("class_weight")
        if given is not None:  # JSON turns the classes into strings
            given = {int(c): weight for c, weight in given.items()}
            config = {**config, "class_weight": given}
        return cls(**config)


def times_class_weights(
    caller: str,
    class_weight: dict[int, float],
    sample_weight: Tensor | None,
    y_true: Tensor,
    y_pred: Tensor,
    rows: bool,
) -> Tensor:
    """`sample_weight` times the weight of each step's class.

    Args:
        caller: How error messages name the caller.
        class_weight: The result of `read_class_weight`.
        sample_weight: Weights with the first axes of `y_pred`, or None.
        y_true: Finite targets from `read_targets`.
        y_pred: Predictions from `read_targets`.
        rows: Whether `(batch, n)` may mean rows, since there is no mask.

    Returns:
        Tensor of the shape of `y_pred` without its last axis.
    """
    classes, width = _classes(caller, y_true, y_pred, rows)
    if width and class_weight and max(class_weight) >= width:
        raise ValueError(
            describe(
                caller,
                "the classes in `class_weight` must exist in the predictions.",
                "Classes are numbered from 0.",
                class_weight=class_weight,
                classes=width,
            )
        )
    # The last entry is the weight of all classes that are not in the dict.
    size = max(class_weight, default=-1) + 1
    table = np.ones(size + 1)
    table[list(class_weight)] = list(class_weight.values())
    known = ops.logical_and(classes >= 0, classes < size)
    index = ops.where(known, classes, ops.full_like(classes, size))
    dtype = wide_dtype(dtype_name(y_pred))
    weights = ops.take(ops.convert_to_tensor(table, dtype), index, axis=0)
    if sample_weight is not None:
        given = read_weights(caller, sample_weight, weights)
        weights = weights * ops.cast(given, dtype)
    return weights


def _classes(
    caller: str, y_true: Tensor, y_pred: Tensor, rows: bool
) -> tuple[Tensor, int | None]:
    """The class of each step, and the number of classes if known."""
    ndim, width = len(y_pred.shape), y_pred.shape[-1]
    own = y_true.shape[-1] if len(y_true.shape) == ndim else 1
    if own is None and width == 1:
        own = 1
    number_each = len(y_true.shape) == ndim - 1
    if number_each or (len(y_true.shape) == ndim and own == 1):
        each = y_true if number_each else y_true[..., 0]
        each = ops.round(each) if is_float(each) else each
        return clip_to_int32(each), width if width != 1 else None
    one_hot = len(y_true.shape) == ndim and own is not None
    if one_hot and width in (own, None) and not (rows and ndim <= 2):
        return ops.cast(ops.argmax(y_true, axis=-1), "int32"), own
    raise ValueError(
        describe(
            caller,
            "with `class_weight`, `y_true` must be integers (batch, steps), "
            "0 or 1 (batch, steps, 1), or one-hot (batch, steps, classes).",
            "If `y_pred` has one number for each step, give it a feature "
            "axis, (batch, steps, 1); the class of a whole row is an integer, "
            "(batch,).",
            **{
                "y_true.shape": tuple(y_true.shape),
                "y_pred.shape": tuple(y_pred.shape),
            },
        )
    )
