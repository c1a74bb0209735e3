"""Dot over the steps supports masking and sums over padding

`Dot(axes=1)` sums over the steps of two sequences. It declares that it supports
masking, ignores the masks of its inputs, and returns none: padding that is not
zero is summed like real steps. Nothing warns.

The sum should be over the steps that are real in both inputs; otherwise the
layer should not declare that it supports masking, so that Keras warns.

Where:
    layers/merging/dot.py:262 "self.supports_masking = True"
    layers/merging/dot.py:322 "output = batch_dot(x1, x2, axes)"
    layers/merging/dot.py:348 "def compute_mask(self, inputs, mask=None):"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Dot
Fix: Take `mask=None` in `call`, and put 0 where it is False before the product
    if the step axis is summed.
Workaround: Write 0 at padding steps before the layer.
"""

import keras
import numpy as np

x = np.array([[[1.0], [3.0]]])
padded = np.pad(x, ((0, 0), (0, 2), (0, 0)))
# Masked where x is 0; the bias of a Dense makes the padding 5.
dense = keras.layers.Dense(1, kernel_initializer="ones")
dense.build((None, None, 1))
dense.bias.assign([5.0])

short = dense(keras.layers.Masking()(x))
long = dense(keras.layers.Masking()(padded))
expected = keras.ops.convert_to_numpy(keras.layers.Dot(1)([short, short]))
got = keras.ops.convert_to_numpy(keras.layers.Dot(1)([long, long]))
print("expected", expected.ravel())
print("got     ", got.ravel())
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
