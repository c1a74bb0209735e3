"""On torch the sum of two float64 tensors is float32 (3.16)

`ops.add`, `subtract` and `multiply` convert both operands to their
`result_type`, which for float64 is float32. `x + x` stays float64, and so do
these operations in 3.15.1. (JAX has float64 only if it is enabled.)

Where in 3.16:
    backend/torch/ops/numpy.py:86 "convert_to_tensors_of_same_dtype("
Shows on: keras 3.16 (torch)
Layers: keras.ops.add
Fix: In `convert_to_tensors_of_same_dtype`, do not convert operands that have
    the same dtype.
Workaround: Use `x + x`.
"""

import keras
import numpy as np

x = keras.ops.convert_to_tensor(np.array([1.0]), dtype="float64")

expected = keras.backend.standardize_dtype(x.dtype)
got = keras.backend.standardize_dtype(keras.ops.add(x, x).dtype)
print("expected", expected)
print("got     ", got)
raise SystemExit(got != expected)
