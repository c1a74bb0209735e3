"""MultiHeadAttention overwrites its argument `query_mask`

`query_mask=` is replaced by the mask that the query carries, None if there is
none, before the output's mask is set. So a mask that is passed is lost, in
silence, where one that is carried is passed on.

What the caller passes should win.

Where:
    layers/attention/multi_head_attention.py:628 "get_keras_mask(query)"
    layers/attention/multi_head_attention.py:698 "set_keras_mask("
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: MultiHeadAttention
Fix: `if query_mask is None: query_mask = get_keras_mask(query)`; or leave it as
    step 6 of `Layer.__call__` filled it in.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Way round: Let the query carry its mask.
"""

import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(1, 3, 4)).astype("float32")
mask = np.array([[True, True, False]])
layer = keras.layers.MultiHeadAttention(2, 4)

carrying = keras.layers.Masking()(x * mask[..., None])
passed = keras.ops.convert_to_tensor(mask)

expected = getattr(layer(carrying, x), "_keras_mask", None)
got = getattr(layer(x, x, query_mask=passed), "_keras_mask", None)
print("expected", expected)
print("got     ", got)
raise SystemExit(got is None)
