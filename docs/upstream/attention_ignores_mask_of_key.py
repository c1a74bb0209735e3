"""Attention takes a third mask, of the key, and does not look at it

`Attention()([query, value, key], mask=[query_mask, value_mask, key_mask])`
passes validation, and `key_mask` is not used: a step of the key that is padding
is attended to, in silence. It is the mask that the key carries, too.

Either it should count as the mask of the value does, or be refused.

Where:
    layers/attention/attention.py:227 "v_mask = mask[1] if mask else None"
    layers/attention/attention.py:305 "if len(mask) < 2 or len(mask) > 3:"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Attention, AdditiveAttention
Fix: AND the third mask into `v_mask`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Way round: Pass the mask of the key as that of the value.
"""

import keras
import numpy as np

query = np.array([[[1.0]]])
key = np.array([[[1.0], [5.0]]])
value = np.array([[[1.0], [100.0]]])
mask = keras.ops.convert_to_tensor([[True, False]])
layer = keras.layers.Attention()

expected = layer([query, value, key], mask=[None, mask, mask])
got = layer([query, value, key], mask=[None, None, mask])
expected, got = (keras.ops.convert_to_numpy(y) for y in (expected, got))
print("expected", expected.ravel())
print("got     ", got.ravel())
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
