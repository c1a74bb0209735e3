"""A backward RNN reverses the steps and not their mask

With `go_backwards=True` and `return_sequences=True` the outputs come in reverse
order, what was padded on the right first, and the mask stays as it was: it
calls padding real, and the steps at the end, which know most, padding. Pooling,
attention and the loss then skip the wrong ones, in silence. Bidirectional,
which turns the outputs round again, is right.

The mask should be turned round with the outputs. In 3.16 there is none: see
recurrent_layers_stop_passing_mask.py.

Where:
    layers/rnn/rnn.py:262 "mask = tree.flatten(mask)[0]"
    layers/rnn/rnn.py:263 "output_mask = mask if self.return_sequences else Non"
Threads: #3737, #6022
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax)
Layers: RNN, SimpleRNN, GRU, LSTM
Fix: `ops.flip(mask, axis=1)` in `compute_mask` if `self.go_backwards`.
Way round: Turn the outputs round, `ops.flip(y, axis=1)`, and pass the mask of
    the inputs on by hand.
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
