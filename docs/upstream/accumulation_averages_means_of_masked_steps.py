"""Accumulated gradients are a mean of means where a batch has a mask

`gradient_accumulation_steps` averages the gradients of its micro-batches. A
loss with a mask is a mean over the real steps of a micro-batch, so a step of a
micro-batch with few real steps weighs more than a step of another one: the
update is not that of the whole batch. No hint says so, and a large batch is
what the option is for.

Two micro-batches with 1 and 4 real steps should take the step of one batch with
5, or the documentation should say that they do not.

Where:
    optimizers/base_optimizer.py:567 "(g + acc_g) / steps"
    backend/jax/optimizer.py:45 "(g + acc_g.value) / steps"
Shows on: keras 3.12.0 (jax), 3.15.1 (tensorflow, torch, jax), 3.16 (torch, jax)
Layers: every Optimizer
Fix: Say it in the documentation of `gradient_accumulation_steps`, with the
    weights that correct it. The optimizer cannot know the numbers of steps.
Workaround: Weight each micro-batch by its real steps: `n * accumulate / N`, as
    `sample_weight`, where `N` is their number in all micro-batches.
"""

import keras
import numpy as np

x = np.array([[[1.0], [0.0], [0.0], [0.0]], [[1.0], [1.0], [1.0], [1.0]]])
y = np.array([[[1.0], [9.0], [9.0], [9.0]], [[0.0], [0.0], [0.0], [0.0]]])


def trained(batches, steps):
    """The weight after one update, from 0."""
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    model = keras.Sequential(
        [keras.Input((4, 1)), keras.layers.Masking(), dense]
    )
    optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=steps)
    model.compile(optimizer, "mean_squared_error")
    for batch in batches:
        model.train_on_batch(*batch)
    return float(model.get_weights()[0][0, 0])


expected = trained([(x, y)], None)
got = trained([(x[:1], y[:1]), (x[1:], y[1:])], 2)
print("expected", expected)
print("got     ", got)
raise SystemExit(not np.allclose(got, expected, atol=1e-4))
