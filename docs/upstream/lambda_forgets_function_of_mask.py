"""A Lambda layer loses its mask function when it is loaded

`Lambda(function, mask=another)` saves `mask` as the config of a function, but
`from_config` deserializes only `function` and `output_shape`. `compute_mask`
then returns the config itself, and the next layer that reads a mask fails.

Where:
    layers/core/lambda_layer.py:144 "config["mask"] = mask"
    layers/core/lambda_layer.py:237 "if "arguments" in config:"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Lambda
Fix: Deserialize `mask` in `from_config`, as is done for `output_shape`.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Use a layer of your own instead of a Lambda.
"""

import keras
import numpy as np


@keras.saving.register_keras_serializable()
def double(x):
    return 2 * x


@keras.saving.register_keras_serializable()
def same(x, mask):
    return mask


layer = keras.layers.Lambda(double, mask=same)
again = keras.layers.deserialize(keras.layers.serialize(layer))
x, mask = np.ones((1, 2, 1)), np.array([[True, False]])

expected = layer.compute_mask(x, mask)
got = again.compute_mask(x, mask)
print("expected", expected)
print("got     ", got)
raise SystemExit(got is not mask)
