#!/usr/bin/env bash
# TimeDistributed(BatchNormalization()) learns zeros from masked padding, and its
# statistics depend on the order of the steps. Keras 3.15.1 (JAX).
#
# Behaviour: the wrapper calls the layer once for each step. Each call updates
# the moving mean, so a batch of T steps updates it T times, and the last steps
# have the largest weight. A step that is padding in every row has mean 0 over no
# samples, and moves the statistics towards 0, although the layer gets its mask.
# All real steps are 4.0 here: with momentum 0.5 the mean is 3.5 after a batch
# without padding, and 0.4375 after the same batch with three steps of padding.
# `BatchNormalization()` alone updates once, to 2.0, with and without padding.
#
# Why one would guess wrong: BatchNormalization takes a mask and documents that
# it skips masked steps, TimeDistributed passes each step its mask, and other
# layers give the same numbers with and without the wrapper.
#
# For users: predictions depend on the longest sequence of the last training
# batches. Normalize `(batch, steps, features)` with BatchNormalization itself,
# which needs no TimeDistributed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2
KERAS_BACKEND=jax "$work/venv/bin/python" - <<'PY'
import keras
import numpy as np


def moving_mean(wrapped, padding, steps=(4.0, 4.0, 4.0)):
    inner = keras.layers.BatchNormalization(momentum=0.5)
    layer = keras.layers.TimeDistributed(inner) if wrapped else inner
    x = np.broadcast_to(np.array(steps)[:, None], (2, 3, 2))
    x = x.astype("float32")
    x = np.pad(x, ((0, 0), (0, padding), (0, 0)), constant_values=77)
    mask = np.arange(3 + padding) < 3
    layer(x, mask=np.broadcast_to(mask, (2, 3 + padding)), training=True)
    return float(inner.moving_mean.value[0])


seen = {
    "BatchNormalization, no padding": moving_mean(False, 0),
    "BatchNormalization, 3 steps of padding": moving_mean(False, 3),
    "TimeDistributed, no padding": moving_mean(True, 0),
    "TimeDistributed, 3 steps of padding": moving_mean(True, 3),
    "TimeDistributed, steps 1 2 9": moving_mean(True, 0, (1.0, 2.0, 9.0)),
    "TimeDistributed, steps 9 2 1": moving_mean(True, 0, (9.0, 2.0, 1.0)),
}
for name, mean in seen.items():
    print(f"{name:40} moving mean {mean}")
known = [2.0, 2.0, 3.5, 0.4375, 5.125, 2.125]
raise SystemExit(not np.allclose([*seen.values()], known))
PY
