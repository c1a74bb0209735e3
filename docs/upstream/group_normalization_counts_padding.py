"""GroupNormalization supports masking but counts the padding

Mean and variance are computed over all steps, including padding, so the values
at real steps depend on how much padding the batch needed. `supports_masking` is
True, the mask is passed on, and nothing warns. BatchNormalization, which takes
a mask, counts only real steps.

The statistics should be those of the real steps.

Where:
    layers/normalization/group_normalization.py:89 "supports_masking = True"
    layers/normalization/group_normalization.py:158 "def call(self, inputs):"
    layers/normalization/group_normalization.py:192 "variance = ops.moments("
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: GroupNormalization
Fix: Take `mask=None` in `call`, and weight the moments by it as
    `BatchNormalization._moments` does.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: None with this layer.
"""

import keras
import numpy as np

x = np.array([[[1.0], [3.0]]])
padded = np.pad(x, ((0, 0), (0, 4), (0, 0)))
norm = keras.layers.GroupNormalization(groups=1)

expected = keras.ops.convert_to_numpy(norm(x))
got = keras.ops.convert_to_numpy(norm(keras.layers.Masking()(padded)))[:, :2]
print("expected", expected.ravel())
print("got     ", got.ravel())
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
