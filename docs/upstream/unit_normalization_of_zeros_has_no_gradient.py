"""UnitNormalization of zeros has no gradient on torch and JAX

`ops.normalize` computes the reciprocal square root of 0 and clips it
afterwards, so that the value is 0 but the gradient is 0 * inf = NaN. Padding is
usually zeros: after a Dense layer without bias, one padded batch makes all
weights NaN, although the loss excludes the padding. TensorFlow gives a finite
gradient.

The gradient should be finite. 3.16 clips first, and is right except in float16:
see unit_normalization_of_zeros_is_nan_in_float16.py.

Where:
    layers/normalization/unit_normalization.py:44 "ops.normalize(inputs"
    ops/nn.py:2728 "backend.math.rsqrt(square_sum)"
    ops/nn.py:2729 "minimum(inv_norm, 1.0 / epsilon)"
Threads: #23075, #23093
Shows on: keras 3.12.0 (jax), 3.15.1 (torch, jax)
Layers: UnitNormalization, keras.ops.normalize
Fix: As in 3.16: `rsqrt(maximum(square_sum, epsilon * epsilon))`.
Workaround: Write a number other than 0 at padding before this layer.
"""

import keras
import numpy as np

model = keras.Sequential(
    [
        keras.layers.Masking(),
        keras.layers.Dense(2, use_bias=False, kernel_initializer="ones"),
        keras.layers.UnitNormalization(),
    ]
)
model.compile("sgd", "mse")
x = np.array([[[1.0, 2.0], [0.0, 0.0]]])  # the second step is padding
model.train_on_batch(x, np.zeros((1, 2, 2)))

got = keras.ops.convert_to_numpy(model.weights[0])
print("expected finite weights")
print("got     ", got.ravel())
raise SystemExit(not bool(np.isfinite(got).all()))
