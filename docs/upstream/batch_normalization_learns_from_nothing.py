"""BatchNormalization updates its statistics from a batch without real steps

In a batch where all steps are masked, mean and variance are 0 / epsilon = 0,
and the moving statistics move towards them: with a momentum of 0.5 the variance
halves. All activations are then larger at inference.

A batch without real steps should not change the statistics.

Where:
    layers/normalization/batch_normalization.py:457 "masked_input_sum / (sum_of"
    layers/normalization/batch_normalization.py:471 "weighted_distsq / (sum_of"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: BatchNormalization
Fix: Where no step is real, use the moving statistics as those of the batch.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Leave out batches without real steps.
"""

import keras
import numpy as np

x = keras.layers.Masking()(np.zeros((2, 3, 2)))  # no step is real
norm = keras.layers.BatchNormalization(momentum=0.5)
norm(x, training=True)

expected = np.ones(2)
got = keras.ops.convert_to_numpy(norm.moving_variance)
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
