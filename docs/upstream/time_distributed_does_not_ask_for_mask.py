"""TimeDistributed does not compute the output mask of its layer

`TimeDistributed(Embedding(..., mask_zero=True))` gives no mask, though the
embedding by itself does. It has no `compute_mask`, and runs `call` of its layer
instead of `__call__`. Up to 3.15 it also puts a mask of (batch, segments,
steps) on the output of a layer that has reduced the steps.

The mask of the output should be the one that the layer computes for each slice.

Where:
    layers/rnn/time_distributed.py:126 "return self.layer.call(inputs[i],"
    layers/rnn/time_distributed.py:54 "self.supports_masking = True"
Threads: #4786, #22037
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: TimeDistributed
Fix: A `compute_mask` that calls that of the layer for each slice and stacks the
    results.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Compute the mask from the inputs, and pass it on explicitly.
"""

import keras
import numpy as np

ids = np.array([[[1, 2], [3, 0]]])
embedding = keras.layers.Embedding(9, 4, mask_zero=True)
layer = keras.layers.TimeDistributed(embedding)

expected = getattr(embedding(ids), "_keras_mask", None)
got = getattr(layer(ids), "_keras_mask", None)
print("expected", expected)
print("got     ", got)
raise SystemExit(got is None)
