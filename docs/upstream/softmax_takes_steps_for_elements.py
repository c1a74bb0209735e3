"""The Softmax layer takes the mask of a sequence for one of its elements

Behind an embedding with `mask_zero=True`, `Softmax()` is handed the mask of the
steps, (batch, steps), and reads it as a mask of elements of its input, (batch,
steps, features): an error, or, where batch, steps and features agree, a softmax
of the wrong elements in silence. `Activation("softmax")` works.

The mask of steps that a tensor carries should be passed on; a softmax over the
features leaves the steps alone.

Where:
    layers/activations/softmax.py:55 "def call(self, inputs, mask=None):"
    layers/layer.py:959 "kwargs["mask"] = mask"
Threads: #19722, #22295
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Softmax
Fix: In `call` take a mask of the shape of the input without its last axis for
    one of steps, and leave the values alone.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Way round: `Activation("softmax")`.
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
