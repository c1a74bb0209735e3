"""A `sample_weight` for each row weights the steps if both have the same size

A loss of sequences has a value for each step: (batch, steps). Weights of shape
(batch,), which `fit` documents as one for each sample, are multiplied along the
last axis: an error if batch and steps differ, and silently weights of the steps
if they are equal.

Weights of shape (batch,) should weight the rows.

Where:
    losses/loss.py:190 "values = values * sample_weight"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: every Loss of sequences
Fix: Where `sample_weight` has fewer axes than `values`, append axes of size 1
    to it.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass weights of shape (batch, 1), on torch of shape (batch, steps).
"""

import keras
import numpy as np

y_true = np.zeros((2, 2, 1))
y_pred = np.array([[[1.0], [1.0]], [[2.0], [2.0]]])
weight = np.array([1.0, 0.0])  # the second row does not count

expected = (1 + 1 + 0 + 0) / 4
got = float(keras.losses.MeanAbsoluteError()(y_true, y_pred, weight))
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
