"""GlobalAveragePooling1D with a mask overflows in float16

With a mask, sum and count are computed in the dtype of the inputs: the sum of
5000 steps of 20 exceeds float16. Without a mask, `ops.mean` gives 20.

A mask that is True everywhere should not change the mean.

Where:
    layers/pooling/global_average_pooling1d.py:78 "inputs.dtype)"
    layers/pooling/global_average_pooling1d.py:79 "return ops.sum("
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: GlobalAveragePooling1D
Fix: Sum in float32, and cast the quotient.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Use this layer with `dtype="float32"`.
"""

import keras
import numpy as np

x = np.full((1, 5000, 1), 20.0, "float16")
pool = keras.layers.GlobalAveragePooling1D(dtype="float16")
mask = keras.ops.ones((1, 5000), "bool")

expected = keras.ops.convert_to_numpy(pool(x)).item()
got = keras.ops.convert_to_numpy(pool(x, mask=mask)).item()
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, rtol=1e-2))
