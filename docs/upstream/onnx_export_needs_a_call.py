"""A model that was built but never called is not exported to ONNX

A Functional model knows its inputs, and is built. `model.export` writes it as a
SavedModel, but for ONNX raises "The model provided has never called", also for
a model that was just loaded from a file.

It should be written, as in the other formats.

Where:
    export/onnx.py:79 "The model provided has never called."
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: every Functional and Sequential model
Fix: Ask for a call only if `get_input_signature` finds no inputs.
Workaround: Call the model once: `model(x)`.
"""

import tempfile

import keras

inputs = keras.Input((3,))
model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
print("expected no error for want of a call")
try:
    with tempfile.TemporaryDirectory() as folder:
        model.export(f"{folder}/m.onnx", format="onnx", verbose=False)
    print("got      a file")
except Exception as error:  # also that a package is missing, which is fine
    print("got     ", str(error).split("\n")[0])
    raise SystemExit("never called" in str(error)) from None
