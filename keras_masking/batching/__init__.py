"""Batches of sequences that answer alike, however they are made.

NumPy and `keras.utils` alone, so that they serve `fit`, `evaluate` and
`predict` on every backend.
"""

from keras_masking._packing import PackingNeed as PackingNeed
from keras_masking.batching.bucketed import BucketedBatches as BucketedBatches
from keras_masking.batching.edges import bucket_edges as bucket_edges
from keras_masking.batching.filling import fill_rows as fill_rows
from keras_masking.batching.gap import PackingGap as PackingGap
from keras_masking.batching.gap import packing_gap as packing_gap
from keras_masking.batching.packed import PackedBatches as PackedBatches
from keras_masking.batching.packing import Packing as Packing
from keras_masking.batching.packing import pack as pack
from keras_masking.batching.predicting import (
    predict_unpadded as predict_unpadded,
)
from keras_masking.batching.report import BatchReport as BatchReport
from keras_masking.batching.report import BatchShape as BatchShape
from keras_masking.batching.split import split_weights as split_weights

__all__ = [
    "BatchReport",
    "BatchShape",
    "BucketedBatches",
    "PackedBatches",
    "Packing",
    "PackingGap",
    "PackingNeed",
    "bucket_edges",
    "fill_rows",
    "pack",
    "packing_gap",
    "predict_unpadded",
    "split_weights",
]
