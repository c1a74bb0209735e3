"""A KerasTensor times a number is sparse

The spec of `Multiply` assumes that an operand without an attribute `sparse` is
sparse, and that a product is sparse if one operand is. So `x * 2.0` of a dense
input has `sparse=True`, and so has a merge of such tensors.

A number says nothing about sparsity; the product should be as sparse as the
tensor.

Where:
    ops/numpy.py:8639 "x1_sparse = getattr(x1, "sparse", True)"
    ops/numpy.py:8641 "output_sparse = x1_sparse or x2_sparse"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: keras.ops.multiply
Fix: `getattr(x1, "sparse", False)`, and the same for `x2`.
Tried: 3.15.1, on all three backends: the script exits with 0.
Workaround: Use a Rescaling layer.
"""

import keras

x = keras.Input((None, 4))

expected = (x.sparse, (x + x).sparse)
got = ((x * 2.0).sparse, (2.0 * x).sparse)
print("expected", expected)
print("got     ", got)
raise SystemExit(got != expected)
