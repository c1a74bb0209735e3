"""With masks in a dict, a Functional model masks the wrong inputs

A model with a list of inputs can be called with a dict: the tensors are matched
by name, but the masks of a dict are flattened, which orders them by key. Here
the inputs `b` and `a` silently get each other's masks.

Masks should be matched by name, as the tensors are.

Where:
    models/functional.py:180 "masks = tree.flatten(mask)"
    models/functional.py:354 "inputs = [inputs[i.name] for i in"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Functional
Fix: Bring `mask` into the order of the inputs with the code that does so for
    the inputs.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass inputs and masks as lists.
"""

import keras
import numpy as np

b, a = keras.Input((None, 1), name="b"), keras.Input((None, 1), name="a")
pools = [keras.layers.GlobalAveragePooling1D()(x) for x in (b, a)]
model = keras.Model([b, a], pools)
x = {"a": np.array([[[1.0], [3.0]]]), "b": np.array([[[5.0], [7.0]]])}
x = {name: keras.ops.convert_to_tensor(v) for name, v in x.items()}
masks = {
    "a": keras.ops.convert_to_tensor([[True, False]]),
    "b": keras.ops.convert_to_tensor([[True, True]]),
}

expected = [6.0, 1.0]
got = [float(keras.ops.squeeze(y)) for y in model(x, mask=masks)]
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
