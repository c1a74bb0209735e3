"""MultiHeadAttention reports a wrong shape for cross-attention scores

`compute_output_spec` gives the scores the shape (batch, heads, target, target);
they are (batch, heads, target, source). A model that uses them is built with
wrong shapes.

Where:
    layers/attention/multi_head_attention.py:875 "self.num_heads, length,"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: MultiHeadAttention
Fix: The last axis is `value.shape[1]`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: `ops.reshape` to the right shape after the layer.
"""

import keras
import numpy as np

layer = keras.layers.MultiHeadAttention(2, 4)
how = {"return_attention_scores": True}
query, value = keras.Input((7, 4)), keras.Input((5, 4))

got = layer(query, value, **how)[1].shape
expected = layer(np.ones((1, 7, 4)), np.ones((1, 5, 4)), **how)[1].shape
print("expected", tuple(expected))
print("got     ", got)
raise SystemExit(tuple(got[1:]) != tuple(expected[1:]))
