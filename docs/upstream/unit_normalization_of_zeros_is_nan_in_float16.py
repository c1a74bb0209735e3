"""UnitNormalization of zeros is NaN in float16

The bound of 1e-12 is 0 in float16, and 1 / 1e-12 is infinite, so a vector of
zeros becomes 0 * inf. Padding is usually zeros; NaN there passes through
attention and anything else that multiplies by a weight of 0.

The result should be 0, as in float32.

Where:
    layers/normalization/unit_normalization.py:44 "epsilon=1e-12"
    ops/nn.py:2729 "minimum(inv_norm, 1.0 / epsilon)"
Where in 3.16:
    ops/nn.py:2728 "maximum(square_sum, epsilon * epsilon)"
Threads: #23093
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: UnitNormalization, keras.ops.normalize
Fix: Compute the norm in float32, and cast the quotient.
Workaround: Use this layer with `dtype="float32"`.
"""

import keras
import numpy as np

x = np.array([[[1.0, 0.0], [0.0, 0.0]]])  # the second step is padding

expected = keras.ops.convert_to_numpy(keras.layers.UnitNormalization()(x))
layer = keras.layers.UnitNormalization(dtype="mixed_float16")
got = keras.ops.convert_to_numpy(layer(x))
print("expected", expected.ravel())
print("got     ", got.ravel())
raise SystemExit(not np.allclose(got, expected, atol=1e-2))
