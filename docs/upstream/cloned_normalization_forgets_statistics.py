"""A cloned Normalization takes weights and does not use them

`clone_model` and `set_weights` carry mean and variance over, but the layer
works with tensors made of them when it was adapted or built, so the clone
normalizes nothing, in silence. (On torch they share memory with the variables,
and it works.) `load_own_variables` makes them anew; `set_weights` does not.

Where:
    layers/preprocessing/normalization.py:405 "reshape(self.adapt_mean,"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, jax), 3.16 (jax)
Layers: Normalization
Fix: Take mean and variance from the variables in `call`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Way round: `layer.finalize_state()` behind `set_weights`.
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
