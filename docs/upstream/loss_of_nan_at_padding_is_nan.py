"""A loss is NaN if a target at padding is NaN

The values of a loss are multiplied by a weight that is 0 at padding, and 0 *
NaN is NaN. A missing target that is masked out makes the whole loss NaN, and
all gradients. The same holds for MeanMetricWrapper.

Masked targets should not count.

Where:
    losses/loss.py:190 "values = values * sample_weight"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: every Loss; MeanMetricWrapper
Fix: `values = ops.where(sample_weight != 0, values, 0)` before the product; for
    the gradient, the same for `y_true` and `y_pred` before `call`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Write 0 into targets at padding.
"""

import keras
import numpy as np

y_pred = keras.layers.Masking()(np.array([[[1.0], [0.0]]]))
y_true = np.array([[[0.0], [np.nan]]])

expected = 1.0
got = float(keras.losses.MeanAbsoluteError()(y_true, y_pred))
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
