"""Precision, Recall, AUC, RootMeanSquaredError and others ignore the mask

In `compile(metrics=[...])` some metrics count only real steps (accuracies and
errors, that is, every MeanMetricWrapper), and others count padding too: those
of the confusion matrix, IoU, RootMeanSquaredError, PearsonCorrelation. The
documentation does not say which.

All should count the steps that the loss counts.

Where:
    metrics/reduction_metrics.py:202 "mask = backend.get_keras_mask(y_pred)"
    metrics/metrics_utils.py:342 "def update_confusion_matrix_variables("
    metrics/regression_metrics.py:225 "def update_state(self, y_true, y_pred,"
    metrics/iou_metrics.py:77 "def update_state(self, y_true, y_pred,"
Threads: #16271
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: AUC, Precision, Recall, the counts of the confusion matrix, IoU,
    RootMeanSquaredError, PearsonCorrelation
Fix: Apply `apply_mask(sample_weight, mask, dtype, reduction="sum")` in each
    `update_state`, as MeanMetricWrapper does.
Tried: 3.15.1, on all three backends: the script exits with 0. Keras' own tests
    of the module pass (torch).
Workaround: Pass the mask as `sample_weight`, and the metric in
    `weighted_metrics`.
"""

import keras
import numpy as np

# Two real steps, all right; two of padding, where 0 is predicted.
y_true = np.array([[[1.0], [1.0], [1.0], [1.0]]])
padded = np.array([[[1.0], [1.0], [0.0], [0.0]]])
wrong = False
for metric, expected in (
    (keras.metrics.BinaryAccuracy(), 1.0),
    (keras.metrics.MeanSquaredError(), 0.0),
    (keras.metrics.RootMeanSquaredError(), 0.0),
    (keras.metrics.Recall(), 1.0),
    (keras.metrics.FalseNegatives(), 0.0),
    (keras.metrics.BinaryIoU([1]), 1.0),
):
    metric.update_state(y_true, keras.layers.Masking()(padded))
    got = float(metric.result())
    print(f"{metric.name}: expected {expected}, got {got:.2f}")
    wrong = wrong or abs(got - expected) > 1e-4
raise SystemExit(wrong)
