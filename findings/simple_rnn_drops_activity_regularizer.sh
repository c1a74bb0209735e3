#!/usr/bin/env bash
# SimpleRNN accepts `activity_regularizer` but ignores it. Keras 3.15.1 (on JAX).
#
# Behaviour: `SimpleRNN(2, activity_regularizer=L2(1.0))` adds no loss, and its
# `activity_regularizer` is None, also inside `Bidirectional`. No error, no
# warning. LSTM, GRU and `RNN(SimpleRNNCell(2), ...)` add the penalty.
#
# Why one would guess wrong: the argument is in the signature and documented,
# `get_config` has the key, and it works in LSTM and GRU.
#
# For users: a SimpleRNN with an activity penalty was trained without it. Use
# `RNN(SimpleRNNCell(...), activity_regularizer=...)`, or set
# `layer.activity_regularizer` on the instance. A model that replaces LSTM by
# SimpleRNN loses the penalty.
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
made = {
    "SimpleRNN": layers.SimpleRNN(2, activity_regularizer=penalty),
    "Bidirectional(SimpleRNN)": layers.Bidirectional(
        layers.SimpleRNN(2, activity_regularizer=penalty)
    ),
    "LSTM": layers.LSTM(2, activity_regularizer=penalty),
    "GRU": layers.GRU(2, activity_regularizer=penalty),
    "RNN(SimpleRNNCell)": layers.RNN(
        layers.SimpleRNNCell(2), activity_regularizer=penalty
    ),
    "Bidirectional(LSTM)": layers.Bidirectional(
        layers.LSTM(2, activity_regularizer=penalty)
    ),
}
count = {}
for name, layer in made.items():
    layer(x)
    count[name] = len(layer.losses)
    print(f"{name:25} penalties: {count[name]}")

way_round = layers.SimpleRNN(2)
way_round.activity_regularizer = penalty
way_round(x)
count["set afterwards"] = len(way_round.losses)
print(f"{'set afterwards':25} penalties: {count['set afterwards']}")

silent = [name for name, n in count.items() if n == 0]
raise SystemExit(silent != ["SimpleRNN", "Bidirectional(SimpleRNN)"])
PY
