"""`class_weight` of `fit` takes the steps of a sequence for its classes

Targets of shape (batch, steps), the class of each step, are taken for one-hot
rows: the weight of a row depends on the *position* of its largest class. The
loss then multiplies the values of the steps, (batch, steps), by weights of
rows, (batch,). That is an error where batch and steps differ, and silently
wrong where they are equal or the batch is one row.

Each step should be weighted by its class, or `fit` should refuse targets that
are not (batch,), (batch, 1) or one-hot rows.

Where:
    trainers/data_adapters/data_adapter_utils.py:128 "np.argmax(y_numpy"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Model.fit
Fix: Look up the class of every integer target, and keep the axes of `y`; for
    floats of more than two axes, use the argmax along the last axis.
Workaround: Pass the weight of each step as `sample_weight`, (batch, steps).
"""

import keras
import numpy as np

chances = np.array([[[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]])
classes = np.array([[0, 2]])
class_weight = {0: 1.0, 1: 100.0, 2: 4.0}  # no step is of class 1

model = keras.Sequential([keras.Input((2, 3)), keras.layers.Identity()])
model.compile(keras.optimizers.SGD(), "sparse_categorical_crossentropy")

expected = (1.0 * -np.log(0.5) + 4.0 * -np.log(0.25)) / 2
history = model.fit(chances, classes, class_weight=class_weight, verbose=0)
got = history.history["loss"][0]
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
