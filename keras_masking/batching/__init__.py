"""Batches of sequences that answer alike, however they are made.

NumPy and `keras.utils` alone, so that they serve `fit`, `evaluate` and
`predict` on every backend.
"""

from keras_masking.batching.edges import bucket_edges

__all__ = ["bucket_edges"]
