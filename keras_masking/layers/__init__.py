"""Mask-aware layers for Keras 3.

Importing this module registers them for `keras.saving.load_model`.
"""

from keras_masking.layers.convolution import MaskedConv1D as MaskedConv1D
from keras_masking.layers.embedding import CustomEmbedding as CustomEmbedding
from keras_masking.layers.generators import AttachMask as AttachMask
from keras_masking.layers.generators import GetMask as GetMask
from keras_masking.layers.generators import LengthMask as LengthMask
from keras_masking.layers.global_pooling import (
    MaskedGlobalAveragePooling1D as MaskedGlobalAveragePooling1D,
)
from keras_masking.layers.global_pooling import (
    MaskedGlobalMaxPooling1D as MaskedGlobalMaxPooling1D,
)
from keras_masking.layers.global_pooling import (
    MaskedGlobalMinPooling1D as MaskedGlobalMinPooling1D,
)
from keras_masking.layers.global_pooling import (
    MaskedGlobalSumPooling1D as MaskedGlobalSumPooling1D,
)
from keras_masking.layers.passing import MyActivation as MyActivation
from keras_masking.layers.reshaping import TemporalSplit as TemporalSplit
from keras_masking.layers.softmax import TemporalSoftmax as TemporalSoftmax
from keras_masking.layers.step_selection import FirstStep as FirstStep
from keras_masking.layers.step_selection import LastStep as LastStep

__all__ = [
    "AttachMask",
    "CustomEmbedding",
    "FirstStep",
    "GetMask",
    "LastStep",
    "LengthMask",
    "MaskedConv1D",
    "MaskedGlobalAveragePooling1D",
    "MaskedGlobalMaxPooling1D",
    "MaskedGlobalMinPooling1D",
    "MaskedGlobalSumPooling1D",
    "MyActivation",
    "TemporalSoftmax",
    "TemporalSplit",
]
