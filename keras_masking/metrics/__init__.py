"""Metrics over real steps."""

from keras_masking.metrics.masked import MaskedMetric as MaskedMetric
from keras_masking.metrics.per_step import LossPerStep as LossPerStep

__all__ = ["LossPerStep", "MaskedMetric"]
