"""Losses over real steps."""

from keras_masking.losses.crf import CRFLoss as CRFLoss
from keras_masking.losses.ctc import MaskedCTC as MaskedCTC
from keras_masking.losses.masked import MaskedLoss as MaskedLoss
from keras_masking.losses.sequence import (
    MaskedSequenceLoss as MaskedSequenceLoss,
)

__all__ = ["CRFLoss", "MaskedCTC", "MaskedLoss", "MaskedSequenceLoss"]
