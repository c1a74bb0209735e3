"""On JAX an RNN repeats the first state instead of the output at masked steps

At a masked step, an RNN repeats the output of the previous step. On JAX it uses
the first state of the cell for that, which equals the output in the cells of
Keras. Any cell with a different output silently gives a wrong last output
wherever padding follows. TensorFlow and torch keep the output.

The output should be that of the last real step.

Where:
    backend/jax/rnn.py:165 "# Assume the first state is the previous output."
    backend/jax/rnn.py:166 "output_tm1 = states[0]"
Shows on: keras 3.12.0 (jax), 3.15.1 (jax), 3.16 (jax)
Layers: RNN with a custom cell
Fix: Carry the previous output in the scan, next to the states.
Tried: 3.15.1, on JAX: the script exits with 0.
Workaround: Make the output the first of the cell's states.
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
