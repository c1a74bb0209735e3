"""GlobalAveragePooling1D of a row without a real step is NaN

The empty sum is divided by a count of 0. One empty text in a batch makes the
loss NaN, and then all weights. The same average in `Loss` is 0.

The result should be finite, for example 0, with a gradient of 0.

Where:
    layers/pooling/global_average_pooling1d.py:81 "ops.sum(float_mask,"
Threads: #18152, #18159
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: GlobalAveragePooling1D
Fix: Divide by `ops.maximum(count, 1)`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Leave empty rows out of the batch.
"""

import keras
import numpy as np

ids = np.array([[1, 2, 3], [0, 0, 0]])  # the second row has no words
x = keras.layers.Embedding(9, 4, mask_zero=True)(ids)

got = keras.ops.convert_to_numpy(keras.layers.GlobalAveragePooling1D()(x))
print("expected finite numbers, zeros for the second row")
print("got     ", got)
raise SystemExit(not bool(np.isfinite(got).all()))
