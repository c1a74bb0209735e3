"""Reduction of losses to one number, over all parts of a global batch."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._keras import scale_loss
from keras_masking._replicas import Synchronized
from keras_masking._replicas import check_synchronized
from keras_masking._replicas import find_replicas
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.targets import Score


class Reduced(Score, keras.losses.Loss):
    """Base of our losses: weighs what counts, and reduces it."""

    kind = "loss"

    def __init__(
        self,
        name: str | None,
        reduction: str | None,
        normalizer: float | None,
        synchronized: Synchronized,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.normalizer = _read_normalizer(self.caller, normalizer, reduction)
        self.synchronized = check_synchronized(self.caller, synchronized)

    def weigh(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The weighted losses, and the count of each in a mean."""
        raise NotImplementedError

    def __call__(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        losses, counts = self.weigh(y_true, y_pred, sample_weight, mask)
        if self.reduction in (None, "none"):
            return ops.cast(losses, self.dtype)
        total, count = ops.sum(losses), ops.sum(counts)
        return ops.cast(self._reduce(total, count), self.dtype)

    def _reduce(self, total: Tensor, count: Tensor) -> Tensor:
        """The sum of the losses of a batch, divided if the loss is a mean."""
        fixed = self.normalizer
        if fixed is None and self.reduction == "sum":
            fixed = 1.0
        replicas = find_replicas(self.caller, self.synchronized)
        if replicas is not None:
            return replicas.divide(total, count, fixed)
        if fixed is not None:
            return total / fixed
        return scale_loss(ops.divide_no_nan(total, count))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "normalizer": self.normalizer,
            "synchronized": self.synchronized,
        }


def _read_normalizer(
    caller: str, normalizer: Any, reduction: str | None
) -> float | None:
    if normalizer is None:
        return None
    numbers = (int, float, np.integer, np.floating)
    number = isinstance(normalizer, numbers) and not isinstance(
        normalizer, bool
    )
    if not number or not 0 < normalizer < math.inf:
        raise ValueError(
            describe(
                caller,
                "`normalizer` must be a positive number.",
                "Pass the real steps of a batch on average.",
                normalizer=repr(normalizer),
            )
        )
    if reduction in (None, "none"):
        raise ValueError(
            describe(
                caller,
                "without a reduction there is no sum to divide.",
                "Leave out `normalizer`, or pass `reduction='sum'`.",
                normalizer=normalizer,
                reduction=repr(reduction),
            )
        )
    return float(normalizer)
