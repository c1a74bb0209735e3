"""Pipeline loses an explicit mask

`Pipeline([...])(x, mask=mask)` passes the mask to its first layer if that takes
one, but not to a layer that only passes masks on. So the later layers see none,
and silently count the padding. If `x` carries the mask, the result is right.

Both ways should give the same result.

Where:
    layers/preprocessing/pipeline.py:56 "if layer._call_has_mask_arg:"
    layers/preprocessing/pipeline.py:66 "mask = tree.map_structure("
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Pipeline
Fix: Set the mask on a copy of the inputs before the first layer.
Workaround: Make the mask with a layer, for example Masking, so that `x` carries
    it.
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
