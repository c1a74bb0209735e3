"""Losses over real steps."""

from keras_masking.losses.ctc import MaskedCTC as MaskedCTC
from keras_masking.losses.masked import MaskedLoss as MaskedLoss
from keras_masking.losses.sequence import (
    MaskedSequenceLoss as MaskedSequenceLoss,
)

__all__ = ["MaskedCTC", "MaskedLoss", "MaskedSequenceLoss"]
