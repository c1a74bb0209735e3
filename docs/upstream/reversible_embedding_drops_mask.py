"""ReversibleEmbedding has no mask for its logits, not even a symbolic one

`layer(x, reverse=True)` keeps the steps, declares that it supports masking, and
drops the mask, so the loss of a language model counts the padding. In 3.12.0 it
computes a mask from the vectors instead, of shape (batch, steps, features).

The logits should carry the mask of the vectors.

Where:
    layers/core/reversible_embedding.py:146 "def compute_mask("
    layers/core/reversible_embedding.py:148 "return None"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: ReversibleEmbedding
Fix: In `call`, set the mask of `inputs` on `logits`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass the mask as `sample_weight`.
"""

import keras
import numpy as np

layer = keras.layers.ReversibleEmbedding(9, 4, mask_zero=True)
x = layer(np.array([[1, 2, 0]]))
logits = layer(x, reverse=True)

expected = getattr(x, "_keras_mask", None)
got = getattr(logits, "_keras_mask", None)
print("expected", expected)
print("got     ", got)
raise SystemExit(got is None or tuple(got.shape) != tuple(expected.shape))
