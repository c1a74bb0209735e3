"""BatchNormalization moves its statistics to 0 by a batch without a real step

In a batch where all steps are masked, mean and variance come out as 0 / epsilon
= 0, and the moving statistics are drawn towards them: with a momentum of 0.5
the variance halves. At inference all activations then grow.

Nothing seen, nothing learnt.

Where:
    layers/normalization/batch_normalization.py:457 "masked_input_sum / (sum_of"
    layers/normalization/batch_normalization.py:471 "weighted_distsq / (sum_of"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: BatchNormalization
Fix: Where no step is real, take the moving statistics for those of the batch.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Way round: Leave out batches that are empty.
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
