"""A cloned Normalization takes weights and does not use them

`clone_model` and `set_weights` copy mean and variance, but the layer uses
tensors that were computed from them when it was adapted or built, so the clone
silently normalizes nothing. (On torch they share memory with the variables, and
it works.) `load_own_variables` computes these tensors again; `set_weights` does
not.

Where:
    layers/preprocessing/normalization.py:405 "reshape(self.adapt_mean,"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, jax), 3.16 (jax)
Layers: Normalization
Fix: In `call`, read mean and variance from the variables.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: `layer.finalize_state()` after `set_weights`.
"""

import keras
import numpy as np

x = np.array([[1.0], [3.0]])
layer = keras.layers.Normalization()
layer.adapt(x)
model = keras.Sequential([keras.Input((1,)), layer])
clone = keras.models.clone_model(model)
clone.set_weights(model.get_weights())

expected = model.predict(x, verbose=0)
got = clone.predict(x, verbose=0)
print("expected", expected.ravel())
print("got     ", got.ravel())
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
