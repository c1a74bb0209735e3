"""A loss without steps, such as CTC, fails if the predictions carry a mask

`Loss` multiplies the values of a loss by the mask of the predictions. CTC gives
one value for each sequence, (batch,), and the mask is (batch, steps): an error,
or, where batch and steps are equal, silently a wrong number. The mask here is
True everywhere.

A loss that has reduced the steps cannot be masked by them: the mask should be
dropped, or passed to the loss.

Where:
    losses/loss.py:190 "values = values * sample_weight"
    losses/loss.py:57 "in_mask = backend.get_keras_mask(y_pred)"
Threads: #23228
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: CTC, and any Loss that reduces the steps
Fix: In `Loss.__call__`, drop the mask where `losses` has fewer axes than the
    mask, unless the last axis of the mask has size 1.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Remove the mask: `y_pred * 1.0` in a Lambda after the last layer.
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
