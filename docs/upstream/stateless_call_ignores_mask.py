"""`stateless_call` ignores the mask of its inputs

`layer.stateless_call(...)` runs `call` and not `__call__`, so no mask is filled
in, and none is set on the output. The same layer gives a different answer than
when it is called: here the mean of four steps, of which two are padding.

A stateless call should see the same masks as a call.

Where:
    layers/layer.py:1188 "outputs = self.call(*args, **kwargs)"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: every layer whose `call` takes a mask
Fix: Fill in the masks before `self.call`, and set those of the outputs after
    it, with the code of steps 6 and 7 of `__call__`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass `mask=` explicitly.
"""

import keras
import numpy as np

x = keras.layers.Masking()(np.array([[[1.0], [3.0], [0.0], [0.0]]]))
pool = keras.layers.GlobalAveragePooling1D()

expected = keras.ops.convert_to_numpy(pool(x))
got = keras.ops.convert_to_numpy(pool.stateless_call([], [], x)[0])
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
