"""`activity_regularizer` counts the padding

`activity_regularizer`, and the layer ActivityRegularization, sum over all
steps, including masked ones, and divide by the batch size. So a row costs more
the more it is padded, and padding trains the weights, above all the row of an
embedding that represents padding. The loss to which the penalty is added
excludes padding.

The penalty should be computed from the real steps.

Where:
    layers/layer.py:1021 "loss = self.activity_regularizer(output)"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: ActivityRegularization; every layer with `activity_regularizer`
Fix: Set the masks of the outputs first, and pass `ops.where(mask, output, 0)`
    to the regularizer.
Workaround: Zero the padding, then use ActivityRegularization.
"""

import keras
import numpy as np

wrong = False
for layer in (
    keras.layers.ActivityRegularization(l1=1.0),
    keras.layers.Activation("linear", activity_regularizer="l1"),
):
    model = keras.Sequential(
        [
            keras.layers.Embedding(
                9, 1, embeddings_initializer="ones", mask_zero=True
            ),
            layer,
        ]
    )
    penalties = []
    for ids in ([[1, 2]], [[1, 2, 0, 0]]):
        model(np.array(ids))
        penalties.append(float(keras.ops.sum(model.losses)))
    expected, got = penalties
    print(layer.name, "expected", expected)
    print(layer.name, "got     ", got)
    wrong = wrong or not np.allclose(got, expected, atol=1e-4)
raise SystemExit(wrong)
