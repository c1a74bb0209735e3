"""The Softmax layer takes the mask of a sequence for a mask of elements

After an embedding with `mask_zero=True`, `Softmax()` receives the mask of the
steps, (batch, steps), and reads it as a mask of the elements of its input,
(batch, steps, features): an error, or, where batch, steps and features are
equal, silently a softmax of the wrong elements. `Activation("softmax")` works.

The mask of steps that a tensor carries should be passed on; a softmax over the
features does not involve the steps.

Where:
    layers/activations/softmax.py:55 "def call(self, inputs, mask=None):"
    layers/layer.py:959 "kwargs["mask"] = mask"
Threads: #19722, #22295
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Softmax
Fix: In `call`, interpret a mask that has the shape of the input without its
    last axis as a mask of steps, and leave the values unchanged.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Use `Activation("softmax")`.
"""

import keras
import numpy as np

model = keras.Sequential(
    [
        keras.layers.Embedding(9, 4, mask_zero=True),
        keras.layers.Dense(3),
        keras.layers.Softmax(),
    ]
)
print("expected probabilities, of shape (2, 4, 3)")
try:
    y = model(np.array([[1, 2, 3, 4], [5, 6, 0, 0]]))
except Exception as error:
    raise SystemExit(f"got      {type(error).__name__}: {error}") from None
print("got     ", tuple(y.shape))
