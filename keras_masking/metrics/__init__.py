"""Metrics over real steps."""

from keras_masking.metrics.masked import MaskedMetric as MaskedMetric
from keras_masking.metrics.per_step import LossPerStep as LossPerStep
from keras_masking.metrics.sequences import (
    MaskedEditDistance as MaskedEditDistance,
)
from keras_masking.metrics.sequences import SpanF1 as SpanF1

__all__ = ["LossPerStep", "MaskedEditDistance", "MaskedMetric", "SpanF1"]
