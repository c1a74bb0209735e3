"""GroupQueryAttention warns that it destroys a mask that it keeps

The inner EinsumDense layers do not support masking and warn, three times, that
downstream layers will not see the mask. But they do: the output carries it, and
padding is masked. False warnings hide true ones.

Where:
    layers/attention/grouped_query_attention.py:303 "query = self._query_dense("
    layers/layer.py:1038 "in tree.flatten(previous_mask)):"
Threads: #20455
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: GroupQueryAttention
Fix: `supports_masking = True` in EinsumDense where its equation keeps the first
    two axes, which also keeps masks after an EinsumDense. (Its tests expect
    False.)
Tried: 3.15.1, on all three backends: the script exits with 0.
Workaround: Ignore it.
"""

import warnings

import keras
import numpy as np

x = keras.layers.Embedding(9, 4, mask_zero=True)(np.array([[1, 2, 0]]))
layer = keras.layers.GroupQueryAttention(4, 2, 1)

with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    y = layer(x, x)
print("mask    ", getattr(y, "_keras_mask", None))
print("expected no warning")
print("got     ", len(warned), "warnings:", *{str(w.message) for w in warned})
raise SystemExit(bool(warned))
