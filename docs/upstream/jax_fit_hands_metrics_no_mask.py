"""On JAX `fit` hands metrics the predictions without their mask

The predictions leave the function that is differentiated as new tracers, which
have no mask. So during `fit` the metrics count the padding; the loss of the
same batch does not, nor do the metrics of `evaluate`, nor those of other
backends.

`fit` with a learning rate of 0 should report what `evaluate` does.

Where:
    backend/jax/trainer.py:131 "grad_fn = jax.value_and_grad("
Shows on: keras 3.12.0 (jax), 3.15.1 (jax), 3.16 (jax)
Layers: Model
Fix: Return the mask beside `y_pred` in what `compute_loss_and_updates` returns,
    and set it again in `train_step`.
Tried: 3.15.1, on JAX: the script exits with 0.
Way round: Pass the mask as `sample_weight`, and the metrics in
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
