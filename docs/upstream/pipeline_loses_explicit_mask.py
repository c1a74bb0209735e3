"""Pipeline loses a mask that is passed to it

`Pipeline([...])(x, mask=mask)` hands the mask to its first layer, if that takes
one, and not to a layer that just passes masks on. So what follows sees none,
and counts the padding, in silence. With the mask on `x` all is well.

Both ways should give the same.

Where:
    layers/preprocessing/pipeline.py:56 "if layer._call_has_mask_arg:"
    layers/preprocessing/pipeline.py:66 "mask = tree.map_structure("
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Pipeline
Fix: Set the mask on the inputs, a copy of them, before the first layer.
Way round: Make the mask by a layer, Masking say, so that `x` carries it.
"""

import keras
import numpy as np

x = np.array([[[1.0], [3.0], [0.0]]])
mask = keras.ops.convert_to_tensor([[True, True, False]])
pipeline = keras.layers.Pipeline(
    [keras.layers.Rescaling(2.0), keras.layers.GlobalAveragePooling1D()]
)

expected = keras.ops.convert_to_numpy(pipeline(keras.layers.Masking()(x)))
got = keras.ops.convert_to_numpy(pipeline(x, mask=mask))
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
