"""LayerNormalization and UnitNormalization over the steps count the padding

With an `axis` that includes the steps, they normalize by statistics of all
steps, including padding. `supports_masking` is True, the mask is passed on, and
nothing warns.

The statistics should be those of the real steps; otherwise, with such an
`axis`, the layer should not declare that it supports masking.

Where:
    layers/normalization/layer_normalization.py:150 "supports_masking = True"
    layers/normalization/layer_normalization.py:186 "def call(self, inputs):"
    layers/normalization/unit_normalization.py:39 "self.supports_masking = True"
    layers/normalization/unit_normalization.py:43 "def call(self, inputs):"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: LayerNormalization, UnitNormalization
Fix: Set `supports_masking` only where `axis` excludes the steps, so that there
    is a warning; better, take the mask in `call`.
Workaround: Normalize over the features only.
"""

import keras
import numpy as np

x = np.array([[[1.0], [3.0]]])
padded = np.pad(x, ((0, 0), (0, 4), (0, 0)))
layers = [
    keras.layers.LayerNormalization(axis=[1, 2], center=False, scale=False),
    keras.layers.UnitNormalization(axis=1),
]
wrong = False
for norm in layers:
    masked = keras.layers.Masking()(padded)
    masked = keras.layers.Rescaling(1.0, offset=1.0)(masked)  # keeps the mask
    expected = keras.ops.convert_to_numpy(norm(x + 1))
    got = keras.ops.convert_to_numpy(norm(masked))[:, :2]
    print(norm.name, "expected", expected.ravel())
    print(norm.name, "got     ", got.ravel())
    wrong = wrong or not np.allclose(got, expected, atol=1e-4)
raise SystemExit(wrong)
