"""A nested model has no symbolic mask, and warns that it destroys it

Called on a masked KerasTensor, a Functional or Sequential model warns that it
does not support masking, and its output has no symbolic mask. When it runs, the
mask is there. Code that reads masks while a graph is built, for example a
merging layer, sees none, and the warning is wrong.

A model should pass masks on, symbolically too, as its layers do.

Where:
    ops/function.py:143 "lambda x: KerasTensor(shape=x.shape, dtype=x.dtype),"
    layers/layer.py:1038 "in tree.flatten(previous_mask)):"
Threads: #18417, #23175
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Functional, Sequential
Fix: `supports_masking = True` for models, with a `compute_mask` that runs those
    of their layers.
Workaround: Pass masks explicitly to the next layers.
"""

import warnings

import keras

ids = keras.Input((None,), dtype="int32")
x = keras.layers.Embedding(9, 4, mask_zero=True)(ids)
inner = keras.Sequential([keras.Input((None, 4)), keras.layers.Dense(4)])

with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    got = getattr(inner(x), "_keras_mask", None)
expected = getattr(inner.layers[0](x), "_keras_mask", None)
print("expected", expected, "and no warning")
print("got     ", got, "and", *[w.message for w in warned])
raise SystemExit(got is None or bool(warned))
