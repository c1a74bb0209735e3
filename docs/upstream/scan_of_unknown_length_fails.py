"""`scan` over two tensors of an unknown length fails on TensorFlow

The length of a tensor is an int or None there, and None is asked for a method.
A model with such a layer fails in `predict` and `fit` at the second length,
from which on Keras' compiled function takes any.

Each length should give the result of the eager call.

Where:
    backend/tensorflow/core.py:395 "n_static.assert_is_compatible_with("
Shows on: keras 3.15.1 (tensorflow)
Layers: layers that call `keras.ops.scan`
Fix: Leave the check out, or write it for `None`: `tf.TensorShape(n_static)`.
Workaround: Scan over numbers, and take the elements inside:
    `ops.scan(lambda s, i: f(s, (x[i], y[i])), start, ops.arange(length))`.
"""

import keras
import numpy as np
from keras import ops


class Sums(keras.layers.Layer):
    """Running sums of a sequence, with a weight for each step."""

    def call(self, x):
        by_step = ops.transpose(x, (1, 0, 2))

        def step(state, given):
            values, weights = given
            state = state + values * weights
            return state, state

        start = ops.zeros_like(x[:, 0])
        _, sums = ops.scan(step, start, (by_step, 2 * by_step))
        return ops.transpose(sums, (1, 0, 2))

    def compute_output_shape(self, shape):
        return shape


inputs = keras.Input((None, 1))
model = keras.Model(inputs, Sums()(inputs))
wrong = False
for steps in (3, 4, 5):
    x = np.ones((1, steps, 1), "float32")
    print("expected", expected := 2 * np.arange(1, steps + 1))
    try:
        print("got     ", got := model.predict(x, verbose=0).ravel())
        wrong |= not np.allclose(got, expected)
    except AttributeError as error:
        print("got     ", type(error).__name__)
        wrong = True
raise SystemExit(wrong)
