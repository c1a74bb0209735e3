"""A loss that has no steps, CTC say, fails when the predictions carry a mask

`Loss` multiplies the values of a loss by the mask of the predictions. CTC gives
one value for each sequence, (batch,), and the mask is (batch, steps): an error;
where batch and steps agree, a wrong number in silence. The mask here is True
everywhere.

A loss that has done away with the steps cannot be masked by them: the mask
should be left out, or handed to it.

Where:
    losses/loss.py:190 "values = values * sample_weight"
    losses/loss.py:57 "in_mask = backend.get_keras_mask(y_pred)"
Threads: #23228
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: CTC, and any Loss that reduces the steps
Fix: In `Loss.__call__` drop the mask where `losses` has fewer axes than it,
    unless its last one is of size 1.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Way round: Take the mask off: `y_pred * 1.0` behind the last layer, by a Lambda.
"""

import keras
import numpy as np

x = np.ones((2, 4, 3), "float32")
labels = np.ones((2, 1))
loss = keras.losses.CTC()

print("expected", float(loss(labels, x)))  # no step is padding
try:
    print("got     ", float(loss(labels, keras.layers.Masking()(x))))
except Exception as error:
    raise SystemExit(f"got      {type(error).__name__}: {error}") from None
