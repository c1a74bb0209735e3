"""On JAX an RNN repeats the first state for the output at masked steps

At a masked step an RNN repeats the output of the step before. On JAX it takes
the cell's first state for that, which it is for the cells of Keras. Any cell
whose output is another one gives a wrong last output, in silence, wherever
padding follows. TensorFlow and torch keep the output.

The output should be that of the last real step.

Where:
    backend/jax/rnn.py:165 "# Assume the first state is the previous output."
    backend/jax/rnn.py:166 "output_tm1 = states[0]"
Shows on: keras 3.12.0 (jax), 3.15.1 (jax), 3.16 (jax)
Layers: RNN with a cell of one's own
Fix: Carry the output of the step before in the scan, beside the states.
Tried: 3.15.1, on JAX: the script exits with 0.
Way round: Put the output first among the cell's states.
"""

import keras
import numpy as np


class Doubling(keras.layers.Layer):
    """Its state counts the steps, its output is twice the count."""

    state_size = output_size = 1

    def call(self, x, states):
        count = states[0] + 1
        return 2 * count, [count]


x = keras.layers.Masking()(np.array([[[1.0], [1.0], [0.0]]]))

expected = 4.0
got = keras.ops.convert_to_numpy(keras.layers.RNN(Doubling())(x)).item()
print("expected", expected)
print("got     ", got)
raise SystemExit(got != expected)
