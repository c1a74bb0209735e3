"""BatchNormalization of frames fails with the mask of their steps

For inputs (batch, steps, segments, features) only a mask (batch, steps,
segments) is accepted; (batch, steps) raises. The documentation requires a mask
that is broadcastable, and the mask that a ConvLSTM or TimeDistributed layer
passes on, up to 3.15, is (batch, steps), so a model with both fails.

A mask of steps should apply to everything within a step.

Where:
    layers/normalization/batch_normalization.py:337 "len(inputs.shape) - 1:"
    layers/normalization/batch_normalization.py:442 "ops.expand_dims(mask,"
Threads: #19818, #19848
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: BatchNormalization
Fix: Append axes of size 1 to the mask up to the rank of the inputs, and then
    broadcast it.
Workaround: Pass the mask explicitly, repeated for each segment.
"""

import keras
import numpy as np

x = np.ones((2, 3, 4, 5))  # batch, steps, segments, features
mask = keras.ops.convert_to_tensor(np.ones((2, 3), "bool"))
norm = keras.layers.BatchNormalization()

print("expected values near 0, of shape", x.shape)
try:
    y = norm(x, mask=mask, training=True)
except Exception as error:
    raise SystemExit(f"got      {type(error).__name__}: {error}") from None
print("got     ", tuple(y.shape))
