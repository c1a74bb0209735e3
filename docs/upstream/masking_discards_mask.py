"""Masking discards the mask of its input

A Masking layer after another one, or after an embedding, replaces the existing
mask with its own: padding steps become real again. Here the first layer masks
step 0 and writes 0 there; the second looks for -1.

A masked step should stay masked.

Where:
    layers/core/masking.py:58 "return ops.any(ops.not_equal(inputs,"
    layers/core/masking.py:67 "backend.set_keras_mask(outputs, mask="
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Masking
Fix: AND the mask with that of the input, in `call` and in `compute_mask`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Use a single Masking layer that detects all padding.
"""

import keras
import numpy as np

x = keras.layers.Masking(0.0)(np.array([[[0.0], [-1.0], [2.0]]]))
y = keras.layers.Masking(-1.0)(x)

expected = np.array([[False, False, True]])
got = keras.ops.convert_to_numpy(y._keras_mask)
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.array_equal(got, expected))
