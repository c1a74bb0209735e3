"""Batches of sequences that answer alike, however they are made.

NumPy and `keras.utils` alone, so that they serve `fit`, `evaluate` and
`predict` on every backend.
"""

__all__: list[str] = []
