"""Unrolled backward RNNs misread the mask on TensorFlow and fail on torch

With `unroll=True`, `go_backwards=True` and a mask, and therefore in
`Bidirectional(LSTM(..., unroll=True))`: on TensorFlow, outputs at real steps
are zeroed, because the mask was not reversed; on torch, a tuple is flipped as
if it were a tensor, which raises. JAX is right.

Unrolled and rolled RNNs should agree.

Where:
    backend/tensorflow/rnn.py:210 "_expand_mask(mask, outputs, fixed_dim=2),"
    backend/torch/rnn.py:95 "torch.flip(mask_list, dims="
Shows on: keras 3.15.1 (tensorflow, torch), 3.16 (torch)
Layers: RNN, SimpleRNN, GRU, LSTM, Bidirectional
Fix: TensorFlow: reverse `mask` with `mask_list`. torch: `mask_list =
    mask_list[::-1]`, and the same for the `mask` that selects what is zeroed.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Use `unroll=False`.
"""

import keras
import numpy as np

x = np.array([[[0.1], [0.2], [0.3], [0.0]]])
mask = keras.ops.convert_to_tensor([[True, True, True, False]])
outputs = []
for unroll in (False, True):
    rnn = keras.layers.SimpleRNN(
        1,
        kernel_initializer="ones",
        recurrent_initializer="ones",
        return_sequences=True,
        unroll=unroll,
    )
    try:
        y = keras.layers.Bidirectional(rnn)(x, mask=mask)
    except Exception as error:
        raise SystemExit(f"got      {type(error).__name__}: {error}") from None
    outputs.append(keras.ops.convert_to_numpy(y)[0, :3, 1])

expected, got = outputs
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
