"""MultiHeadAttention overwrites its argument `query_mask`

Before the mask of the output is set, `query_mask=` is replaced by the mask that
the query carries, or by None if it carries none. So an explicit mask is
silently lost, while a carried one is passed on.

The explicit mask should win.

Where:
    layers/attention/multi_head_attention.py:628 "get_keras_mask(query)"
    layers/attention/multi_head_attention.py:698 "set_keras_mask("
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: MultiHeadAttention
Fix: `if query_mask is None: query_mask = get_keras_mask(query)`; or keep the
    value that step 6 of `Layer.__call__` filled in.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Attach the mask to the query.
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
