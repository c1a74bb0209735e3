"""A recurrent layer that PyTorch traces knows one length

Keras runs the cell in a Python loop over the steps of the example. A trace
repeats that number of steps, and fails at another one. The LSTM that
`model.export(format="onnx")` writes, for an example of one step, computes the
first step of any sequence, silently.

Each length should give the result of the eager call.

Where:
    backend/torch/rnn.py:97 "for i in range(time_steps):"
Shows on: keras 3.15.1 (torch), 3.16 (torch)
Layers: LSTM, GRU, SimpleRNN, RNN, Bidirectional, ConvLSTM1D
Fix: While PyTorch traces, use a kernel of PyTorch (`torch.lstm`), or a loop
    that is part of the program.
Workaround: Export from TensorFlow or JAX: a `.keras` file loads there.
"""

import warnings
from importlib import import_module

import keras
import numpy as np

if keras.backend.backend() != "torch":
    raise SystemExit(0)
torch = import_module("torch")
warnings.simplefilter("ignore")
rnn = keras.layers.SimpleRNN(1, kernel_initializer="ones")
rnn.build((None, None, 1))
with torch.no_grad():
    traced = torch.jit.trace(rnn, torch.ones((1, 1, 1)), check_trace=False)
x = torch.linspace(-1.0, 1.0, 5).reshape((1, 5, 1))
expected = rnn(x).detach().numpy().ravel()
print("expected", expected)
try:
    got = traced(x).detach().numpy().ravel()
except RuntimeError as error:
    print("got     ", str(error).strip().split("\n")[-1])
    raise SystemExit(1) from None
print("got     ", got)
raise SystemExit(not np.allclose(got, expected))
