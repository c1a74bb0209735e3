"""Normalization(mean, variance) built inside a layer keeps symbolic tensors

A layer without `build` builds its inner layers with a symbolic call. In that
call, Normalization creates tensors for its mean and variance and keeps them.
The first real call raises on JAX and TensorFlow. On torch they are tensors on
the device "meta", which are replaced by uninitialized memory: silently wrong
numbers.

A layer should not keep tensors between calls.

Where:
    layers/preprocessing/normalization.py:247 "self.mean = ops.cast(mean"
    backend/torch/core.py:204 "x = torch.empty_like(x, device=device)"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Normalization
Fix: In `build` keep NumPy arrays of them, and make tensors from these in
    `call`.
Workaround: Build it explicitly, in the `build` of the outer layer.
"""

import keras
import numpy as np


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.norm = keras.layers.Normalization(mean=0.5, variance=2.0)

    def call(self, x):
        return self.norm(x)


x = np.array([[0.5, 2.5]])
block = Block()

expected = (x - 0.5) / 2**0.5
print("expected", expected.ravel())
try:
    got = keras.ops.convert_to_numpy(block(x))
except Exception as error:
    raise SystemExit(f"got      {type(error).__name__}: {error}") from None
print("got     ", got.ravel())
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
