"""On JAX `fit` passes predictions to metrics without their mask

The predictions leave the differentiated function as new tracers, which have no
mask. So during `fit` the metrics count the padding. The loss of the same batch
does not, nor do the metrics in `evaluate`, nor those on other backends.

`fit` with a learning rate of 0 should report the same as `evaluate`.

Where:
    backend/jax/trainer.py:131 "grad_fn = jax.value_and_grad("
Shows on: keras 3.12.0 (jax), 3.15.1 (jax), 3.16 (jax)
Layers: Model
Fix: Return the mask together with `y_pred` from `compute_loss_and_updates`, and
    set it again in `train_step`.
Tried: 3.15.1, on JAX: the script exits with 0.
Workaround: Pass the mask as `sample_weight`, and the metrics in
    `weighted_metrics`.
"""

import keras
import numpy as np

model = keras.Sequential(
    [
        keras.layers.Masking(-1.0),
        keras.layers.Dense(1, kernel_initializer="ones"),
    ]
)
model.compile(keras.optimizers.SGD(0.0), loss="mae", metrics=["mae"])
x = np.array([[[1.0], [-1.0]]])
y = np.array([[[0.0], [9.0]]])

expected = model.evaluate(x, y, verbose=0)
logs = model.fit(x, y, verbose=0).history
got = logs["loss"] + logs["mae"]
print("loss and metric: expected", expected)
print("loss and metric: got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
