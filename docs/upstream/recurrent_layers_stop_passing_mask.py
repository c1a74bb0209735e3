"""RNN, Bidirectional and TimeDistributed no longer pass the mask on (3.16)

They still use a mask, but no longer pass it to the next layer or to the loss.
So a second recurrent layer, attention or pooling after a first one counts the
padding; there is a warning, but no way to request the mask. Up to 3.15, stacked
recurrent layers gave the same answer with more padding.

The change was made because of a crash of CTC after a masked LSTM. The cause of
that crash is in `Loss`: see loss_without_steps_fails_on_mask.py.

Where in 3.16:
    layers/rnn/rnn.py:212 "self.supports_masking = False"
    layers/rnn/bidirectional.py:153 "self.supports_masking = False"
    layers/rnn/time_distributed.py:54 "self.supports_masking = False"
Since: 3.16 (#23235)
Threads: #23228, #23235
Shows on: keras 3.16 (torch, jax)
Layers: RNN, SimpleRNN, GRU, LSTM, Bidirectional, TimeDistributed
Fix: `supports_masking = True` as before, and in `Loss` no mask for losses that
    have no steps.
Workaround: Pass `mask=` explicitly to each layer, and as `sample_weight` to the
    loss.
"""

import keras
import numpy as np

model = keras.Sequential(
    [
        keras.layers.Masking(),
        keras.layers.SimpleRNN(2, return_sequences=True),
        keras.layers.SimpleRNN(1),
    ]
)
x = np.array([[[1.0], [2.0], [3.0]]])
model.build((None, None, 1))
model.set_weights([np.full(w.shape, 0.5) for w in model.get_weights()])

expected = model.predict(x, verbose=0)
got = model.predict(np.pad(x, ((0, 0), (0, 3), (0, 0))), verbose=0)
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
