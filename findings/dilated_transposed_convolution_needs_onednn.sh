#!/usr/bin/env bash
# Conv1DTranspose(dilation_rate=2) runs on some CPUs only. Keras 3.15.1 on
# TensorFlow 2.21.0.
#
# Behaviour: with oneDNN the layer computes. Without it, the same call raises
# "Current CPU implementations do not yet support dilation rates larger than 1".
# TensorFlow turns oneDNN on by itself depending on the CPU, so the same program
# in the same environment runs on one machine and fails on the next one.
# `Conv1D(dilation_rate=2)` runs with and without oneDNN.
#
# Why one would guess wrong: oneDNN is documented as an optimization that changes
# results by rounding only, and the forward convolution needs nothing of it.
#
# For users: a decoder with dilated transposed convolutions that was trained on
# one machine may fail where it is served. Set TF_ENABLE_ONEDNN_OPTS=1, or use
# `dilation_rate=1` with `strides`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet keras==3.15.1 tensorflow-cpu==2.21.0
cat > "$work/try.py" <<'PY'
import keras
import numpy as np

x = np.ones((1, 5, 2), "float32")
found = []
for layer in (
    keras.layers.Conv1D(3, 2, dilation_rate=2),
    keras.layers.Conv1DTranspose(3, 2, dilation_rate=2),
):
    try:
        layer(x)
        found.append("runs")
    except Exception as error:
        dilation = "support dilation rates larger than 1" in str(error)
        found.append("raises for the dilation" if dilation else "raises")
print(f"Conv1D {found[0]}, Conv1DTranspose {found[1]}")
PY
see() {
  KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=$1 \
    "$work/venv/bin/python" "$work/try.py"
}
with=$(see 1)
without=$(see 0)
echo "with oneDNN: $with"
echo "without: $without"
[ "$with" = "Conv1D runs, Conv1DTranspose runs" ]
[ "$without" = "Conv1D runs, Conv1DTranspose raises for the dilation" ]
