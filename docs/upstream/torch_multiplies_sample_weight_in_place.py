"""On torch a loss multiplies the caller's `sample_weight` by the mask, in place

`sample_weight *= float_mask` writes into the tensor that was passed. A second
loss with the same weights, in a second epoch or for another output, is silently
wrong. For the same reason, weights of shape (batch, 1) raise on torch, since
they cannot grow in place, while TensorFlow and JAX accept them.

A call should not change its arguments.

Where:
    losses/loss.py:223 "sample_weight *= float_mask"
Since: 3.10.0 or before
Shows on: keras 3.15.1 (torch), 3.16 (torch)
Layers: every Loss; MeanMetricWrapper
Fix: `sample_weight = sample_weight * float_mask`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass a copy that has the shape of the mask.
"""

import keras
import numpy as np

y_pred = keras.layers.Masking()(np.array([[[1.0], [1.0], [0.0], [0.0]]]))
y_true = np.zeros((1, 4, 1))
weight = keras.ops.ones((1, 4))
loss = keras.losses.MeanAbsoluteError()

expected = [1.0, 1.0, 1.0]
got = [float(loss(y_true, y_pred, weight)) for _ in range(3)]
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
