"""Attention lets NaN at padding through to real steps

A masked key gets a weight of 0, but 0 * NaN of its value is NaN, in all
outputs. `Attention` also adds a bias to the score of such a key, where NaN
stays NaN.

This is how floats multiply, and the documentation does not exclude it. But a
mask says that a step is to be ignored, and the recurrent layers,
GlobalAveragePooling1D and the statistics of BatchNormalization do exclude NaN,
by selection instead of a product. NaN at padding comes from a table with gaps,
or from a logarithm or quotient of zeros.

Masked values should not reach a real step.

Where:
    layers/attention/attention.py:180 "ops.where(padding_mask, scores - max_v"
    layers/attention/attention.py:189 "return ops.matmul(weights, value), weigh"
    layers/attention/multi_head_attention.py:556 "ops.dot_product_attention("
    layers/attention/multi_head_attention.py:605 "attention_output = ops.einsum"
    layers/attention/grouped_query_attention.py:550 "output = ops.einsum("
Threads: #16108
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Attention, AdditiveAttention, MultiHeadAttention, GroupQueryAttention
Fix: With a mask of the value, `value = ops.where(value_mask[..., None], value,
    0)`, and the same of the key.
Workaround: Replace NaN by a number before the layer.
"""

import keras
import numpy as np

x = np.array([[[1.0], [np.nan]]])
mask = keras.ops.convert_to_tensor([[True, False]])
one = {"kernel_initializer": "ones"}
multi_head = keras.layers.MultiHeadAttention(1, 1, **one)
grouped = keras.layers.GroupQueryAttention(1, 1, 1, **one)
outputs = {
    "Attention": keras.layers.Attention()([x, x], mask=[mask, mask]),
    "AdditiveAttention": keras.layers.AdditiveAttention()(
        [x, x], mask=[mask, mask]
    ),
    "MultiHeadAttention": multi_head(x, x, query_mask=mask, value_mask=mask),
    "GroupQueryAttention": grouped(x, x, query_mask=mask, value_mask=mask),
}
wrong = False
for name, y in outputs.items():
    got = keras.ops.convert_to_numpy(y)[0, 0, 0]
    print(name, "expected", 1.0)
    print(name, "got     ", got)
    wrong = wrong or not np.allclose(got, 1.0, atol=1e-4)
raise SystemExit(wrong)
