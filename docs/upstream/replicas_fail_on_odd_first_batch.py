"""`fit` under MirroredStrategy fails if replicas do not divide the first batch

To build the model, `fit` reduces the first batch over the replicas by "MEAN".
If they hold 2 rows and 1 row, that raises an InvalidArgumentError of AddN. A
later batch, such as the last one of an epoch, may have any number of rows.

The model should be built with the shapes of one replica.

Where:
    backend/tensorflow/trainer.py:731 "self.distribute_strategy.reduce("
Shows on: keras 3.15.1 (tensorflow)
Layers: Model.fit, evaluate, predict
Fix: Take the batch of the first replica:
    `tf.distribute.experimental_local_results(value)[0]` for each value.
Workaround: Fill the first batch up to a multiple of the replicas.
"""

import os
from importlib import import_module

import keras
import numpy as np

if keras.backend.backend() != "tensorflow":
    raise SystemExit(0)
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
tf = import_module("tensorflow")
(cpu,) = tf.config.list_physical_devices("CPU")
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)

with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(), "mean_squared_error")

x = np.zeros((3, 1))
print("expected a step")
try:
    model.fit(x, x, batch_size=3, verbose=0)
except tf.errors.InvalidArgumentError as error:
    print("got     ", type(error).__name__)
    raise SystemExit(1) from None
print("got      a step")
raise SystemExit(0)
