"""Attention accepts a third mask, for the key, and ignores it

`Attention()([query, value, key], mask=[query_mask, value_mask, key_mask])`
passes validation, but `key_mask` is not used: padding steps of the key are
silently attended to. A mask that the key carries is ignored in the same way.

It should either count like the mask of the value, or be refused.

Where:
    layers/attention/attention.py:227 "v_mask = mask[1] if mask else None"
    layers/attention/attention.py:305 "if len(mask) < 2 or len(mask) > 3:"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Attention, AdditiveAttention
Fix: AND the third mask into `v_mask`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass the mask of the key as that of the value.
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
