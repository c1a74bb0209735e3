"""UnitNormalization of zeros has no gradient on torch and JAX

`ops.normalize` takes the reciprocal root of 0 and bounds it behind, so that the
value is 0 and the gradient 0 * inf = NaN. Padding mostly is zeros: behind a
Dense layer without bias one padded batch makes all weights NaN, though the loss
leaves the padding out. TensorFlow gives a finite one.

It should be finite. 3.16 bounds first, and is right but in float16: see
unit_normalization_of_zeros_is_nan_in_float16.py.

Where:
    layers/normalization/unit_normalization.py:44 "ops.normalize(inputs"
    ops/nn.py:2728 "backend.math.rsqrt(square_sum)"
    ops/nn.py:2729 "minimum(inv_norm, 1.0 / epsilon)"
Threads: #23075, #23093
Shows on: keras 3.12.0 (jax), 3.15.1 (torch, jax)
Layers: UnitNormalization, keras.ops.normalize
Fix: As in 3.16: `rsqrt(maximum(square_sum, epsilon * epsilon))`.
Way round: Write a number other than 0 at padding before this layer.
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
