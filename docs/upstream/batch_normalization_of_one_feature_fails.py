"""BatchNormalization of one feature fails with a mask on torch and JAX

With a mask, the moments are squeezed without an axis, so that a single feature
gives a scalar, and the update of the moving statistics fails. TensorFlow
broadcasts it back.

Where:
    layers/normalization/batch_normalization.py:474 "ops.squeeze(mean)"
Shows on: keras 3.12.0 (jax), 3.15.1 (torch, jax), 3.16 (torch, jax)
Layers: BatchNormalization
Fix: `ops.squeeze(mean, axis=self._reduction_axes)`, and the same for the
    variance.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: None with this layer.
"""

import keras
import numpy as np

x = keras.layers.Masking()(np.array([[[1.0], [3.0], [0.0]]]))
norm = keras.layers.BatchNormalization()

print("expected values near -1 and 1")
try:
    y = norm(x, training=True)
except Exception as error:
    raise SystemExit(f"got      {type(error).__name__}: {error}") from None
print("got     ", keras.ops.convert_to_numpy(y).ravel()[:2])
