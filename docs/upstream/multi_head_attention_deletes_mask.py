"""MultiHeadAttention deletes the mask of the tensors it is called with

`call` sets the masks of its arguments to None, on the caller's tensors.
Whatever uses such a tensor afterwards sees no mask: the residual `Add()([x,
attention(x, x)])`, and therefore the next block, which attends to padding.
There is no warning. In a Functional model the symbolic mask is still there; it
is lost when the model runs.

A call should not change its arguments. The same model, given more padding,
should give the same answer, as it does with GroupQueryAttention.

Where:
    layers/attention/multi_head_attention.py:629 "set_keras_mask(query, None)"
    layers/attention/multi_head_attention.py:630 "set_keras_mask(value, None)"
    layers/attention/multi_head_attention.py:631 "set_keras_mask(key, None)"
Since: 3.8.0 (#20562)
Threads: #20562
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: MultiHeadAttention
Fix: Leave the arguments alone. The warnings that this was meant to silence come
    from the inner EinsumDense layers: see
    group_query_attention_warns_for_nothing.py.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: GroupQueryAttention with as many key heads as query heads.
"""

import keras
import numpy as np

x = keras.layers.Embedding(9, 4, mask_zero=True)(np.array([[1, 2, 0]]))
print("mask before", getattr(x, "_keras_mask", None))
keras.layers.MultiHeadAttention(2, 4)(x, x)
print("mask after ", getattr(x, "_keras_mask", None))

ids = keras.Input((None,), dtype="int32")
x = keras.layers.Embedding(9, 4, mask_zero=True)(ids)
for _ in range(2):
    y = keras.layers.MultiHeadAttention(2, 4)(x, x)
    x = keras.layers.LayerNormalization()(keras.layers.Add()([x, y]))
model = keras.Model(ids, keras.layers.GlobalAveragePooling1D()(x))
rng = np.random.default_rng(0)
model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])

expected = model.predict(np.array([[1, 2, 3]]), verbose=0)
got = model.predict(np.array([[1, 2, 3, 0, 0, 0]]), verbose=0)
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
