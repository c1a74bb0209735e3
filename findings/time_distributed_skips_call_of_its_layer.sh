#!/usr/bin/env bash
# TimeDistributed ignores the `activity_regularizer` and the dtype of its layer.
# Keras 3.15.1 (on JAX).
#
# Behaviour: the wrapper runs `layer.call`, not `layer.__call__`, so it skips all
# that Keras does around a call: `TimeDistributed(Dense(2,
# activity_regularizer=L2(1.0)))` adds no loss, and with `Dense(2,
# dtype="float16")` the output is float32. No error, no warning. A penalty that a
# layer adds in its `call`, by `add_loss`, is kept.
#
# Why one would guess wrong: the wrapped layer keeps both settings in its
# config, `Dense` alone respects both on the same input, `(batch, steps,
# features)`, and otherwise gives the same values.
#
# For users: a model whose Dense layers are wrapped, as in older tutorials,
# trains without its activity penalty, and a layer configured for half precision
# runs in float32 and uses its memory. Dense and EinsumDense need no wrapper;
# otherwise set the regularizer and the dtype on TimeDistributed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2
KERAS_BACKEND=jax "$work/venv/bin/python" - <<'PY'
import keras
import numpy as np
from keras import layers

x = np.ones((2, 3, 4), "float32")
penalty = keras.regularizers.L2(1.0)
alone = layers.Dense(2, activity_regularizer=penalty)
wrapped = layers.TimeDistributed(
    layers.Dense(2, activity_regularizer=penalty)
)
outside = layers.TimeDistributed(
    layers.Dense(2), activity_regularizer=penalty
)
penalties = {}
for name, layer in {
    "Dense": alone,
    "TimeDistributed(Dense)": wrapped,
    "penalty on TimeDistributed": outside,
}.items():
    layer(x)
    penalties[name] = len(layer.losses)
    print(f"{name:30} penalties: {penalties[name]}")

dtypes = {
    "Dense": str(layers.Dense(2, dtype="float16")(x).dtype),
    "TimeDistributed(Dense)": str(
        layers.TimeDistributed(layers.Dense(2, dtype="float16"))(x).dtype
    ),
}
for name, dtype in dtypes.items():
    print(f"{name:30} of float16: {dtype}")

as_known = [*penalties.values()] == [1, 0, 1]
as_known = as_known and [*dtypes.values()] == ["float16", "float32"]
raise SystemExit(not as_known)
PY
