"""Replicas of a `tf.distribute` strategy take a mean of means of masked steps

Each replica divides its loss by its own real steps, and by the number of
replicas. A step of a replica with few real steps weighs more than a step of
another one, and a replica without a real step halves the loss of two. The
`DataParallel` of JAX divides by the real steps of the whole batch.

The loss and the step should be those of one device with the same batch.

Where:
    losses/loss.py:241 "value, ops.cast(1.0 / num_replicas, value.dtype)"
Shows on: keras 3.15.1 (tensorflow)
Layers: every Loss, with a mask
Fix: In `reduce_weighted_values`, sum the number of real steps over the replicas
    (`tf.distribute.get_replica_context().all_reduce`), and divide by that.
Workaround: Divide by a constant: a loss with `reduction="sum"` and weights.
"""

import os
from importlib import import_module

import keras
import numpy as np

x = np.array([[[1.0], [0.0], [0.0], [0.0]], [[1.0], [1.0], [1.0], [1.0]]])
y = np.array([[[1.0], [9.0], [9.0], [9.0]], [[0.0], [0.0], [0.0], [0.0]]])

if keras.backend.backend() != "tensorflow":
    raise SystemExit(0)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
tf = import_module("tensorflow")
(cpu,) = tf.config.list_physical_devices("CPU")
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def trained():
    """The weight after one update, from 0."""
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential(
        [keras.Input((4, 1)), keras.layers.Masking(), dense]
    )
    model.compile(keras.optimizers.SGD(1.0), "mean_squared_error")
    model.fit(x, y, batch_size=2, verbose=0)
    return float(model.get_weights()[0][0, 0])


expected = trained()
with strategy.scope():
    got = trained()
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
