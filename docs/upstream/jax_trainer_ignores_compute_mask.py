"""On JAX `evaluate` and `fit` ignore `compute_mask` of a subclassed model

The JAX trainer runs the model with `stateless_call`, which does not call
`compute_mask` for the mask of the output, so the loss and the metrics count the
padding. On TensorFlow and torch they do not. (Functional and Sequential models
are not affected: their output carries the mask of the last layer.)

The loss of a model should be the same on all backends.

Where:
    backend/jax/trainer.py:56 "losses = self.stateless_call("
    layers/layer.py:1188 "outputs = self.call(*args, **kwargs)"
Shows on: keras 3.12.0 (jax), 3.15.1 (jax), 3.16 (jax)
Layers: Model
Fix: The fix in stateless_call_ignores_mask.py.
Tried: 3.15.1, on JAX: the script exits with 0.
Workaround: In `call`, set the mask on the output with a layer.
"""

import keras
import numpy as np


class Identity(keras.Model):
    def __init__(self):
        super().__init__()
        self.supports_masking = True

    def call(self, x):
        return x * 1.0

    def compute_mask(self, x, mask=None):
        return keras.ops.any(keras.ops.not_equal(x, 0), axis=-1)


model = Identity()
model.compile(loss="mae")
x = np.array([[[1.0], [0.0]]])
y = np.array([[[0.0], [9.0]]])

expected = float(keras.losses.MeanAbsoluteError()(y, model(x)))
got = model.evaluate(x, y, verbose=0)
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
