"""A weight for each step by its class: `class_weight` of losses and metrics."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.dtypes import clip_to_int32
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import is_whole
from keras_masking.ops.dtypes import wide_dtype
from keras_masking.ops.targets import read_weights

ClassWeight = Mapping[int, float]
WEIGHTS = (int, float, np.integer, np.floating)


def read_class_weight(caller: str, given: Any) -> dict[int, float] | None:
    """`class_weight` as a dict of Python's numbers, in the order of classes."""
    if given is None:
        return None
    if not isinstance(given, Mapping) or not all(
        is_whole(c) and c >= 0 and isinstance(w, WEIGHTS) and 0 <= w < math.inf
        for c, w in given.items()
    ):
        raise ValueError(
            describe(
                caller,
                "`class_weight` must be a dict from classes, integers from 0 "
                "on, to weights, finite and not negative.",
                "For example {0: 1.0, 1: 5.0}; a class without an entry has "
                "the weight 1.",
                class_weight=repr(given),
            )
        )
    return {int(c): float(given[c]) for c in sorted(given)}


class WeighsClasses:
    """A loss or a metric with the argument `class_weight`."""

    kind: str  # what it is
    name: str

    @property
    def caller(self) -> str:
        """How a message names it."""
        return f"{self.kind} '{self.name}' (of type {type(self).__name__})"

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = config.get("class_weight")
        if given is not None:  # JSON makes strings of the classes
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
        caller: Begins the message of an error.
        class_weight: What `read_class_weight` gave.
        sample_weight: The first axes of `y_pred`, or None.
        y_true: Targets as `read_targets` gave them, and finite.
        y_pred: Predictions as `read_targets` gave them.
        rows: Whether no mask says what the axes of `(batch, n)` are.

    Returns:
        Tensor of the shape of `y_pred` without its last axis.
    """
    classes, width = _classes(caller, y_true, y_pred, rows)
    if width and class_weight and max(class_weight) >= width:
        raise ValueError(
            describe(
                caller,
                "`class_weight` must name classes that the predictions have.",
                "Classes count from 0.",
                class_weight=class_weight,
                classes=width,
            )
        )
    # The last entry stands for every class that is not in the dict.
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
    """The class of each step, and the number of classes if it is known."""
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
            "A number for each step needs an axis of features, "
            "(batch, steps, 1), in `y_pred`; the class of a whole row is an "
            "integer, (batch,).",
            **{
                "y_true.shape": tuple(y_true.shape),
                "y_pred.shape": tuple(y_pred.shape),
            },
        )
    )
