"""`ops.softmax` fails on a tuple of negative axes

The remaining axes are computed as those that are not in the tuple, and negative
axes are never found there, so all axes are transposed, and some twice.
`axis=-1` alone works. `ops.log_softmax` has the same code.

Where:
    ops/nn.py:969 "axis_to_keep = [v for v in range(len(x.shape)) if v not in"
    ops/nn.py:1034 "axis_to_keep = [v for v in range(len(x.shape)) if v not in"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: keras.ops.softmax, keras.ops.log_softmax
Fix: `axis = tuple(a % len(x.shape) for a in axis)`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Use positive axes.
"""

import keras
import numpy as np

x = np.zeros((2, 3, 4), "float32")

expected = keras.ops.convert_to_numpy(keras.ops.softmax(x, axis=(1, 2)))
print("expected", expected[0, 0])
try:
    got = keras.ops.convert_to_numpy(keras.ops.softmax(x, axis=(-2, -1)))
except Exception as error:
    raise SystemExit(f"got      {type(error).__name__}: {error}") from None
print("got     ", got[0, 0])
raise SystemExit(not np.allclose(got, expected))
