"""Add and Concatenate silently lose the mask if one input has none

Adding positions, which have no mask, to embedded tokens, which have one, gives
a sum without a mask; Concatenate along the features gives a mask that is True
everywhere. No layer warns, since all declare that they support masking. Later
layers count the padding.

A step that is padding in one input is not a real step of the result. An input
without a mask says nothing about steps, and should not overrule one that does;
Keras 2 ignored it when merging masks. The tests of Keras 3 (merging_test.py)
expect the mask to be lost, so the question is what was intended.

Where:
    layers/merging/base_merge.py:272 "if any(m is None for m in mask):"
    layers/merging/concatenate.py:146 "ops.ones_like(input_i, dtype="bool")"
Since: 3.4 for the merging (#19685)
Threads: #19685, #19817
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Add, Subtract, Average, Multiply, Maximum, Minimum, Concatenate
Fix: Merge the masks that exist; at the least, warn that one is lost.
Workaround: Give the positions the mask of the tokens, or pass `mask=` to the
    next layers.
"""

import keras
import numpy as np

ids = np.array([[1, 2, 3]])
tokens = keras.layers.Embedding(9, 4, mask_zero=True)
positions = keras.layers.Embedding(9, 4)
pool = keras.layers.GlobalAveragePooling1D()


def answer(merge, ids):
    places = np.arange(ids.shape[1])[None]
    return keras.ops.convert_to_numpy(
        pool(merge([tokens(ids), positions(places)]))
    )


wrong = False
for merge in (keras.layers.Add(), keras.layers.Concatenate()):
    expected = answer(merge, ids)
    got = answer(merge, np.pad(ids, ((0, 0), (0, 3))))
    print(merge.name, "expected", expected)
    print(merge.name, "got     ", got)
    wrong = wrong or not np.allclose(got, expected, atol=1e-4)
raise SystemExit(wrong)
