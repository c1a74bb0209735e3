"""Add of two masked inputs calls steps real that contain padding

The mask of a sum is the OR of the masks: a step is real if it is real in one
input. But the value there also contains the padding of the other input,
whatever it is. Multiply, Maximum and Minimum replace the padding by a neutral
element; Add, Subtract, Average, and Concatenate along the features, do not.

Either the padding should be excluded (0 in a sum), or the step should not count
as real.

Where:
    layers/merging/base_merge.py:276 "ops.logical_or(output_mask, m)"
    layers/merging/concatenate.py:158 "ops.any(concatenated, axis=-1"
    layers/merging/multiply.py:44 "x = ops.where(mask, x, ops.cast(1, x.dtype))"
Threads: #19685
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: Add, Subtract, Average, Concatenate
Fix: In `Add` put 0 where an input is masked, as Multiply puts 1, and likewise
    in the others; in `Average` divide by the number of inputs that are real. Or
    AND the masks, as Keras 2 did.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Zero the padding of the inputs before they are merged.
"""

import keras
import numpy as np

nine = keras.layers.Rescaling(1.0, offset=9.0)  # passes the mask on
x = keras.layers.Masking()(np.array([[[1.0], [2.0]]]))
wrong = False
for merge in (keras.layers.Add(), keras.layers.Multiply()):
    # Its second step is padding and holds 9.
    y = nine(keras.layers.Masking()(np.array([[[1.0], [0.0]]])))
    z = merge([x, y])
    got = keras.ops.convert_to_numpy(z)[0, 1, 0]
    real = keras.ops.convert_to_numpy(z._keras_mask)[0, 1]
    print(merge.name, "expected", 2.0, "or a mask that is False")
    print(merge.name, "got     ", got, "and the mask", real)
    wrong = wrong or bool(real and got != 2)
raise SystemExit(wrong)
