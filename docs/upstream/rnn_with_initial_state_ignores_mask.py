"""Recurrent layers called with `initial_state` ignore the mask of the sequence

With two tensors among its arguments, a layer gets only masks named after them
(`sequences_mask`); `mask`, which recurrent layers take, stays None. So the cell
silently processes the padding, and up to 3.15 the output carries the mask as if
it had been used. Decoders that start from the state of an encoder are built
like this.

The mask should be used whether or not a state is passed: here it is zeros,
which is the default state of the layer.

Where:
    layers/layer.py:960 "elif len(call_spec.tensor_arguments_dict) > 1:"
    layers/layer.py:962 "expected_mask_arg_name = f"{k}_mask""
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: RNN, SimpleRNN, GRU, LSTM, Bidirectional
Fix: In `RNN.call`, if `mask` is None, use that of `sequences`. Or let step 6 of
    `Layer.__call__` fill `mask` from the first argument if a layer takes no
    mask named after that argument.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass `mask=` explicitly.
"""

import keras
import numpy as np

rnn = keras.layers.SimpleRNN(
    1, kernel_initializer="ones", recurrent_initializer="ones"
)
x = keras.layers.Masking()(np.array([[[0.1], [0.2], [0.0], [0.0]]]))
zeros = keras.ops.zeros((1, 1))

expected = keras.ops.convert_to_numpy(rnn(x))  # its state is zero as well
got = keras.ops.convert_to_numpy(rnn(x, initial_state=zeros))
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
