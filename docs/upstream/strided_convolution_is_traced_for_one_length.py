"""A strided convolution that PyTorch traces is wrong at other lengths

With `padding="same"` Keras computes the padding in Python from the length of
the example. A trace keeps that number: what `model.export(format="onnx")`
writes, for an example of one step, is wrong at other lengths, silently.
`torch.export` refuses the model.

Each length should give the result of the eager call.

Where:
    backend/torch/nn.py:219 "def _compute_padding_length("
Shows on: keras 3.15.1 (torch), 3.16 (torch)
Layers: Conv1D, Conv2D, SeparableConv1D, DepthwiseConv1D, MaxPooling1D
Fix: Compute the padding with tensors while PyTorch traces or exports.
Workaround: Pad by a fixed number of steps, and pass `padding="valid"`.
"""

import warnings
from importlib import import_module

import keras
import numpy as np

if keras.backend.backend() != "torch":
    raise SystemExit(0)
torch = import_module("torch")
warnings.simplefilter("ignore")
conv = keras.layers.Conv1D(
    1, 3, strides=2, padding="same", kernel_initializer="ones"
)
conv.build((None, None, 1))
with torch.no_grad():
    traced = torch.jit.trace(conv, torch.ones((1, 1, 1)), check_trace=False)
x = torch.ones((1, 4, 1))
expected = conv(x).detach().numpy().ravel()
got = traced(x).detach().numpy().ravel()
print("expected", expected)
print("got     ", got)
raise SystemExit(got.shape != expected.shape or not np.allclose(got, expected))
