"""On TensorFlow a convolution of too few steps invents steps

`DepthwiseConv1D(3)` of 2 steps, unpadded, has no output. Built for any length
and called on TensorFlow's CPU kernels with oneDNN (the default on newer CPUs,
turned on here), it returns 2 steps whose values were never computed: the kernel
returns memory in the shape of the input. So do SeparableConv1D and Conv1D,
whose check for an empty output does not trigger. Torch raises; JAX has 0 steps,
as has TensorFlow with `TF_ENABLE_ONEDNN_OPTS=0`.

It should raise, as it does when it is built for that length.

Where:
    backend/tensorflow/nn.py:823 "math.prod(result_shape.as_list()) == 0"
    backend/tensorflow/nn.py:1012 "outputs = tf.nn.depthwise_conv2d("
    backend/tensorflow/nn.py:1109 "outputs = tf.nn.separable_conv2d("
Threads: #22532, #22686
Shows on: keras 3.15.1 (tensorflow)
Layers: Conv1D, DepthwiseConv1D, SeparableConv1D
Fix: In Keras, compute the shape of the output before the operation, and raise
    where it is empty. The kernel itself is for TensorFlow to fix.
Workaround: `padding="same"`, or rows that are long enough.
"""

import os

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

import keras
import numpy as np

wrong = False
for layer in (
    keras.layers.Conv1D(4, 3),
    keras.layers.DepthwiseConv1D(3),
    keras.layers.SeparableConv1D(4, 3),
):
    layer.build((None, None, 4))
    print(layer.name, "expected no steps, or an error")
    try:
        got = tuple(layer(np.ones((1, 2, 4))).shape)
    except Exception as error:
        got = type(error).__name__
    print(layer.name, "got     ", got)
    wrong = wrong or got == (1, 2, 4)
raise SystemExit(wrong)
