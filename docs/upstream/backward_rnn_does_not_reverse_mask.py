"""A backward RNN reverses the steps but not their mask

With `go_backwards=True` and `return_sequences=True` the outputs come in reverse
order, so padding on the right comes first. The mask is not reversed: it calls
padding real, and it calls the last steps, which have seen the most, padding.
Pooling, attention and the loss then silently skip the wrong steps.
Bidirectional, which reverses the outputs again, is right.

The mask should be reversed with the outputs. In 3.16 there is none: see
recurrent_layers_stop_passing_mask.py.

Where:
    layers/rnn/rnn.py:262 "mask = tree.flatten(mask)[0]"
    layers/rnn/rnn.py:263 "output_mask = mask if self.return_sequences else Non"
Threads: #3737, #6022
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax)
Layers: RNN, SimpleRNN, GRU, LSTM
Fix: `ops.flip(mask, axis=1)` in `compute_mask` if `self.go_backwards`.
Workaround: Reverse the outputs, `ops.flip(y, axis=1)`, and pass on the mask of
    the inputs explicitly.
"""

import keras
import numpy as np

x = keras.layers.Masking()(np.array([[[1.0], [2.0], [0.0]]]))
rnn = keras.layers.SimpleRNN(1, return_sequences=True, go_backwards=True)
y = rnn(x)

expected = np.array([[False, True, True]])
got = getattr(y, "_keras_mask", None)
if got is not None:
    got = keras.ops.convert_to_numpy(got)
print("steps   ", keras.ops.convert_to_numpy(y).ravel())
print("expected", expected)
print("got     ", got)
raise SystemExit(got is not None and not np.array_equal(got, expected))
