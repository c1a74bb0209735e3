"""Batches of sequences that answer alike, however they are made.

NumPy and `keras.utils` alone, so that they serve `fit`, `evaluate` and
`predict` on every backend.
"""

from keras_masking.batching.filling import fill_rows as fill_rows
from keras_masking.batching.split import split_weights as split_weights

__all__ = ["fill_rows", "split_weights"]
