"""Batches of sequences that answer alike, however they are made.

NumPy and `keras.utils` alone, so that they serve `fit`, `evaluate` and
`predict` on every backend.
"""

from keras_masking._packing import PackingNeed
from keras_masking.batching.bucketed import BucketedBatches
from keras_masking.batching.edges import bucket_edges
from keras_masking.batching.gap import PackingGap
from keras_masking.batching.gap import packing_gap
from keras_masking.batching.packed import PackedBatches
from keras_masking.batching.packing import Packing
from keras_masking.batching.packing import pack
from keras_masking.batching.report import BatchReport
from keras_masking.batching.report import BatchShape

__all__ = [
    "BatchReport",
    "BatchShape",
    "BucketedBatches",
    "PackedBatches",
    "Packing",
    "PackingGap",
    "PackingNeed",
    "bucket_edges",
    "pack",
    "packing_gap",
]
