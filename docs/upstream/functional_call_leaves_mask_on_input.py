"""`model(x, mask=mask)` of a Functional model leaves the mask on `x`

The mask is set on the tensor that the caller passed, and remains there. The
next `model(x)`, without a mask, is masked, and gives a different answer than
before.

A call should not change its arguments.

Where:
    models/functional.py:183 "backend.set_keras_mask(x, mask)"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Functional, Sequential
Fix: Set the mask on a tensor of the model's own, for example `ops.copy(x)`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass `x * 1`.
"""

import keras
import numpy as np

inputs = keras.Input((None, 1))
pool = keras.layers.GlobalAveragePooling1D()
model = keras.Model(inputs, pool(keras.layers.Rescaling(1.0)(inputs)))
x = keras.ops.convert_to_tensor([[[1.0], [3.0]]])
mask = keras.ops.convert_to_tensor([[True, False]])

expected = keras.ops.convert_to_numpy(model(x))
model(x, mask=mask)
got = keras.ops.convert_to_numpy(model(x))
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
