"""On JAX ConvLSTM fails with a mask

The mask of a step, (batch, 1), is broadcast against outputs of (batch, width,
features): an error, or, where width and batch are equal, silently wrong rows.
TensorFlow and torch expand it to the rank of the output.

Where:
    backend/jax/rnn.py:155 "jnp.logical_not(current_mask), axis=-1,"
    backend/jax/rnn.py:162 "is_masked, jnp.zeros_like(output_t), output_t"
    backend/jax/rnn.py:170 "jnp.where(is_masked, output_tm1, output_t)"
Shows on: keras 3.12.0 (jax), 3.15.1 (jax), 3.16 (jax)
Layers: ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
Fix: Append axes of size 1 to `is_masked` up to the rank of what it selects.
Tried: 3.15.1, on JAX: the script exits with 0.
Workaround: None with this layer on JAX.
"""

import keras
import numpy as np

x = np.ones((2, 3, 5, 1))  # batch, steps, width, features
mask = np.array([[True, True, False], [True, True, True]])
layer = keras.layers.ConvLSTM1D(1, 3, padding="same")

expected = keras.ops.convert_to_numpy(layer(x[:1, :2]))
print("expected", expected.ravel())
try:
    y = layer(x, mask=keras.ops.convert_to_tensor(mask))
except Exception as error:
    raise SystemExit(f"got      {type(error).__name__}: {error}") from None
got = keras.ops.convert_to_numpy(y)[:1]
print("got     ", got.ravel())
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
