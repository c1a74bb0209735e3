"""In float16 MultiHeadAttention attends to padding if real scores are low

In float16, the Softmax layer replaces the scores of masked keys by -30000, but
float16 extends to -65504. If the real scores are below -30000, padding gets all
the weight, which is zeroed afterwards, and the output is 0. This is the path
with dropout, also at inference, and with `return_attention_scores`.

A masked key should always get the lowest score. Few models have such scores,
but one that has them silently loses the row.

Where:
    layers/activations/softmax.py:10 "return -3e4"
    layers/activations/softmax.py:105 "where(mask, outputs, 0.0)"
    layers/attention/multi_head_attention.py:474 "self._softmax(attention_score"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: MultiHeadAttention, GroupQueryAttention, Softmax
Fix: Use the lowest number of the dtype instead of -30000.
Workaround: Use this layer with `dtype="float32"`.
"""

import keras
import numpy as np

layer = keras.layers.MultiHeadAttention(
    1, 1, dropout=0.1, kernel_initializer="ones", dtype="mixed_float16"
)
query = np.array([[[200.0]]])
real = np.array([[[-200.0]]])
padded = np.array([[[-200.0], [0.0]]])
mask = keras.ops.convert_to_tensor([[True, False]])

expected = keras.ops.convert_to_numpy(layer(query, real)).item()
got = keras.ops.convert_to_numpy(layer(query, padded, value_mask=mask)).item()
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, rtol=1e-2))
