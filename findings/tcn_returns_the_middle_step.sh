#!/usr/bin/env bash
# keras-tcn's TCN(padding="same") returns the middle step of the padded length.
# keras-tcn 3.5.7, Keras 3.15.1 (on TensorFlow).
#
# Behaviour: with `padding="same"` and `return_sequences=False`, the default,
# the output is the step `steps // 2`. With enough padding that is a padding
# step: the answer for a short row is one about padding. A mask does not change
# it, and the layer passes none on. No error, no warning.
#
# Why one would guess wrong: with `padding="causal"` the same argument returns
# the last step, as `return_sequences=False` does in all recurrent layers.
#
# For users: a classifier on padded rows reads a step that depends on the
# longest row of the batch. Use `return_sequences=True`, and pool the real
# steps.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet keras==3.15.1 tensorflow-cpu==2.21.0
# It requires a TensorFlow for macOS.
"$work/venv/bin/pip" install --quiet --no-deps keras-tcn==3.5.7
KERAS_BACKEND=tensorflow "$work/venv/bin/python" - 2> "$work/log" <<'PY' || {
import keras
import numpy as np
from tcn import TCN

keras.utils.set_random_seed(0)
x = keras.Input((None, 3))
every = TCN(
    4, 3, dilations=[1, 2], padding="same", return_sequences=True
)
one = TCN(4, 3, dilations=[1, 2], padding="same")
all_steps, one_step = keras.Model(x, every(x)), keras.Model(x, one(x))
one_step.set_weights(all_steps.get_weights())
row = np.random.default_rng(0).normal(size=(1, 4, 3))
as_known = True
for steps in (4, 8, 16):
    padded = np.pad(row, ((0, 0), (0, steps - 4), (0, 0)))
    got = one_step.predict(padded, verbose=0)[0]
    gaps = np.abs(all_steps.predict(padded, verbose=0)[0] - got).max(axis=1)
    print(f"4 real steps of {steps:2}: returns step {gaps.argmin()}, {got}")
    as_known = as_known and gaps.argmin() == steps // 2 and gaps.min() < 1e-6
raise SystemExit(not as_known)
PY
    code=$?
    tail -5 "$work/log" >&2
    exit "$code"
}
