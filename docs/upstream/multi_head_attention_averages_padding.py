"""MultiHeadAttention averages the padding if no key is real

Where all keys are masked, the result is the mean of all values, which are
padding, if it comes from the fused kernel, and 0 if scores are returned or
dropout is on: the Softmax layer on that path zeroes such rows. So
`return_attention_scores=True`, or training, changes the output, and the answer
depends on the amount and the values of the padding.

Both should be 0.

Where:
    layers/attention/multi_head_attention.py:556 "ops.dot_product_attention("
    layers/activations/softmax.py:105 "where(mask, outputs, 0.0)"
Threads: #21123, #21149
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: MultiHeadAttention, GroupQueryAttention
Fix: After the fused kernel, `ops.where(ops.any(attention_mask, -1), output, 0)`
    for each head and query.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Leave empty rows out of the batch.
"""

import keras
import numpy as np

layer = keras.layers.MultiHeadAttention(1, 1, kernel_initializer="ones")
x = np.array([[[1.0], [3.0]]])
nothing = keras.ops.zeros((1, 2), "bool")

slow, _ = layer(x, x, value_mask=nothing, return_attention_scores=True)
fused = layer(x, x, value_mask=nothing)
expected = keras.ops.convert_to_numpy(slow).ravel()
got = keras.ops.convert_to_numpy(fused).ravel()
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
