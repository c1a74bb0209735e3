"""Mask-aware layers for Keras 3.

Importing this module registers them for `keras.saving.load_model`.
"""

from keras_masking.layers.activations import MyActivation as MyActivation
from keras_masking.layers.activations import TemporalSoftmax as TemporalSoftmax
from keras_masking.layers.attention import (
    MaskedAdditiveAttention as MaskedAdditiveAttention,
)
from keras_masking.layers.attention import MaskedAttention as MaskedAttention
from keras_masking.layers.attention_pooling import (
    AttentionPooling1D as AttentionPooling1D,
)
from keras_masking.layers.bidirectional import (
    MaskedBidirectional as MaskedBidirectional,
)
from keras_masking.layers.convolution import MaskedConv1D as MaskedConv1D
from keras_masking.layers.convolution import (
    MaskedDepthwiseConv1D as MaskedDepthwiseConv1D,
)
from keras_masking.layers.convolution import (
    MaskedSeparableConv1D as MaskedSeparableConv1D,
)
from keras_masking.layers.crf import LinearChainCRF as LinearChainCRF
from keras_masking.layers.crf import ViterbiDecode as ViterbiDecode
from keras_masking.layers.embedding import CustomEmbedding as CustomEmbedding
from keras_masking.layers.generators import AttachMask as AttachMask
from keras_masking.layers.generators import LengthMask as LengthMask
from keras_masking.layers.generators import NaNMask as NaNMask
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
from keras_masking.layers.keeping import KeepMask as KeepMask
from keras_masking.layers.merging import MaskedAdd as MaskedAdd
from keras_masking.layers.merging import MaskedConcatenate as MaskedConcatenate
from keras_masking.layers.merging import MaskedMultiply as MaskedMultiply
from keras_masking.layers.multi_head_attention import (
    MaskedGroupQueryAttention as MaskedGroupQueryAttention,
)
from keras_masking.layers.multi_head_attention import (
    MaskedMultiHeadAttention as MaskedMultiHeadAttention,
)
from keras_masking.layers.normalization import (
    MaskedGroupNormalization as MaskedGroupNormalization,
)
from keras_masking.layers.passing import ApplyMask as ApplyMask
from keras_masking.layers.passing import DropMask as DropMask
from keras_masking.layers.passing import GetMask as GetMask
from keras_masking.layers.passing import RequireMask as RequireMask
from keras_masking.layers.positions import (
    MaskedPositionEmbedding as MaskedPositionEmbedding,
)
from keras_masking.layers.positions import (
    MaskedSinePositionEncoding as MaskedSinePositionEncoding,
)
from keras_masking.layers.recurrent import MaskedGRU as MaskedGRU
from keras_masking.layers.recurrent import MaskedLSTM as MaskedLSTM
from keras_masking.layers.recurrent import MaskedSimpleRNN as MaskedSimpleRNN
from keras_masking.layers.repeating import RepeatVectorLike as RepeatVectorLike
from keras_masking.layers.resizing import MaskedCropping1D as MaskedCropping1D
from keras_masking.layers.resizing import (
    MaskedUpSampling1D as MaskedUpSampling1D,
)
from keras_masking.layers.resizing import (
    MaskedZeroPadding1D as MaskedZeroPadding1D,
)
from keras_masking.layers.statistics_pooling import (
    StatisticsPooling1D as StatisticsPooling1D,
)
from keras_masking.layers.step_selection import FirstStep as FirstStep
from keras_masking.layers.step_selection import LastStep as LastStep
from keras_masking.layers.temporal import CompactSteps as CompactSteps
from keras_masking.layers.temporal import (
    TemporalConcatenate as TemporalConcatenate,
)
from keras_masking.layers.temporal import TemporalReverse as TemporalReverse
from keras_masking.layers.temporal import TemporalSplit as TemporalSplit
from keras_masking.layers.time_distributed import (
    MaskedTimeDistributed as MaskedTimeDistributed,
)
from keras_masking.layers.transposed_convolution import (
    MaskedConv1DTranspose as MaskedConv1DTranspose,
)
from keras_masking.layers.windowed_pooling import (
    MaskedAveragePooling1D as MaskedAveragePooling1D,
)
from keras_masking.layers.windowed_pooling import (
    MaskedMaxPooling1D as MaskedMaxPooling1D,
)

__all__ = [
    "ApplyMask",
    "AttachMask",
    "AttentionPooling1D",
    "CompactSteps",
    "CustomEmbedding",
    "DropMask",
    "FirstStep",
    "GetMask",
    "KeepMask",
    "LastStep",
    "LengthMask",
    "LinearChainCRF",
    "MaskedAdd",
    "MaskedAdditiveAttention",
    "MaskedAttention",
    "MaskedAveragePooling1D",
    "MaskedBidirectional",
    "MaskedConcatenate",
    "MaskedConv1D",
    "MaskedConv1DTranspose",
    "MaskedCropping1D",
    "MaskedDepthwiseConv1D",
    "MaskedGRU",
    "MaskedGlobalAveragePooling1D",
    "MaskedGlobalMaxPooling1D",
    "MaskedGlobalMinPooling1D",
    "MaskedGlobalSumPooling1D",
    "MaskedGroupNormalization",
    "MaskedGroupQueryAttention",
    "MaskedLSTM",
    "MaskedMaxPooling1D",
    "MaskedMultiHeadAttention",
    "MaskedMultiply",
    "MaskedPositionEmbedding",
    "MaskedSeparableConv1D",
    "MaskedSimpleRNN",
    "MaskedSinePositionEncoding",
    "MaskedTimeDistributed",
    "MaskedUpSampling1D",
    "MaskedZeroPadding1D",
    "MyActivation",
    "NaNMask",
    "RepeatVectorLike",
    "RequireMask",
    "StatisticsPooling1D",
    "TemporalConcatenate",
    "TemporalReverse",
    "TemporalSoftmax",
    "TemporalSplit",
    "ViterbiDecode",
]
