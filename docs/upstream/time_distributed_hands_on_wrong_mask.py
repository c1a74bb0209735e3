"""TimeDistributed passes a mask of segments to its layer as a mask of steps

If the inner layer takes a mask, TimeDistributed passes it a slice of the outer
one. If the outer mask says which segments are real, (batch, segments), the
slice is (batch,), and GlobalAveragePooling1D or LSTM, which expect (batch,
steps), fail.

A mask of segments says nothing about the steps within a segment: the layer
should be called without a mask.

Where:
    layers/rnn/time_distributed.py:123 "kwargs["mask"] = mask[i]"
Threads: #2243, #13176, #22037
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: TimeDistributed
Fix: Pass the slice on only if it has one axis less than the slice of the input.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass no mask to TimeDistributed, and pass it to the next layers
    instead.
"""

import keras
import numpy as np

# One text of three sentences; the last is padding.
x = np.array([[[[1.0], [3.0]], [[2.0], [4.0]], [[0.0], [0.0]]]])
mask = keras.ops.convert_to_tensor([[True, True, False]])
layer = keras.layers.TimeDistributed(keras.layers.GlobalAveragePooling1D())

expected = [2.0, 3.0]
print("expected", expected)
try:
    y = layer(x, mask=mask)
except Exception as error:
    raise SystemExit(f"got      {type(error).__name__}: {error}") from None
got = keras.ops.convert_to_numpy(y)[0, :2, 0]
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
