"""Masking(mask_value=nan) masks nothing

NaN marks missing values in most tables, and `inputs != nan` is True everywhere:
all steps count as real, and the NaN silently passes through.

A step that is NaN throughout should be masked, or such a value refused.

Where:
    layers/core/masking.py:62 "ops.not_equal(inputs, self.mask_value),"
Threads: #2819, #449
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Masking
Fix: `ops.logical_not(ops.isnan(inputs))` where `mask_value` is NaN.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Replace NaN by another number before the layer.
"""

import keras
import numpy as np

x = np.array([[[1.0], [np.nan]]])

expected = np.array([[True, False]])
y = keras.layers.Masking(mask_value=np.nan)(x)
got = keras.ops.convert_to_numpy(y._keras_mask)
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.array_equal(got, expected))
