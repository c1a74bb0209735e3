"""A mask that a layer sets in `call` is missing symbolically

SpectralNormalization and Pipeline call layers that pass the mask on, and
ReversibleEmbedding sets it on its result. A symbolic call computes only the
shape, and gives no mask: code that reads masks while a graph is built sees
none. The first two warn that they destroy the mask, which is false when they
run.

The mask should come from `compute_mask`, which both kinds of call use.

Where:
    layers/layer.py:870 "return self.compute_output_spec(*args, **kwargs)"
    layers/normalization/spectral_normalization.py:87 "self.layer(inputs)"
    layers/preprocessing/pipeline.py:60 "outputs = layer(inputs, **kwargs)"
    layers/core/reversible_embedding.py:127 "set_keras_mask(result, mask)"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: SpectralNormalization, Pipeline, ReversibleEmbedding (not in 3.12.0)
Fix: `supports_masking = True`, and a `compute_mask` that calls those of the
    inner layers; in ReversibleEmbedding that of Embedding.
Workaround: Pass masks explicitly to the next layers.
"""

import keras
import numpy as np

embed = keras.layers.Embedding(9, 4, mask_zero=True)
symbolic = keras.Input((None,), dtype="int32")
ids = np.array([[1, 2, 0]])
wrong = False
for layer, inputs in (
    (keras.layers.SpectralNormalization(keras.layers.Dense(4)), embed),
    (keras.layers.Pipeline([keras.layers.Rescaling(2.0)]), embed),
    (keras.layers.ReversibleEmbedding(9, 4, mask_zero=True), lambda x: x),
):
    expected = getattr(layer(inputs(ids)), "_keras_mask", None)
    got = getattr(layer(inputs(symbolic)), "_keras_mask", None)
    print(layer.name, "expected", expected)
    print(layer.name, "got     ", got)
    wrong = wrong or (expected is not None and got is None)
raise SystemExit(wrong)
