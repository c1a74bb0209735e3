"""MultiHeadAttention hides too little in float16 where scores are large

The Softmax layer writes -30000 over the scores of masked keys in float16, which
reaches to -65504. Real scores below that lose: the padding takes all the
weight, is zeroed afterwards, and the output is 0. It is the path with dropout,
at inference too, and with `return_attention_scores`.

A masked key should lose to every other. Few models have such scores; one that
has loses the row without a sign.

Where:
    layers/activations/softmax.py:10 "return -3e4"
    layers/activations/softmax.py:105 "where(mask, outputs, 0.0)"
    layers/attention/multi_head_attention.py:474 "self._softmax(attention_score"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: MultiHeadAttention, GroupQueryAttention, Softmax
Fix: The least number of the dtype instead of -30000.
Way round: This layer with `dtype="float32"`.
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
