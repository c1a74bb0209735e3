#!/usr/bin/env bash
# tf.nn.ctc_loss reads labels behind `label_length` once a loss passes 707.
# TensorFlow 2.21.0; Keras' `ops.ctc_loss` on TensorFlow calls it.
#
# Behaviour: what stands in `labels` behind `label_length` is padding. Yet a path
# may end in these labels, at a price of 707 instead of infinity: the constant
# that stands for log(0). So as soon as the loss of a row is above 707, which a
# few hundred steps reach, and its padding labels are likely by the logits, the
# loss is too small, and its gradient is that of the wrong labels. No error, no
# warning.
#
# Why one would guess wrong: `label_length` is there to say what is padding, and
# the value of padding labels changes nothing for shorter rows.
#
# For users: pad labels with the blank, as Keras does; then the price gains
# nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet tensorflow-cpu==2.21.0
"$work/venv/bin/python" - 2> "$work/log" <<'PY' || {
import math

import numpy as np
import tensorflow as tf

as_known = True
for steps in (200, 400, 800):
    # No label, and a class 1 that is more likely than the blank, 0.
    logits = np.zeros((1, steps, 2), "float32")
    logits[..., 1] = 2.0
    right = steps * math.log(1 + math.exp(2.0))
    found = [
        float(
            tf.nn.ctc_loss(
                labels=np.array([[padding]]),
                label_length=np.array([0]),
                logits=logits,
                logit_length=np.array([steps]),
                logits_time_major=False,
                blank_index=0,
            )[0]
        )
        for padding in (0, 1)
    ]
    print(
        f"{steps} steps, no label: {right:.1f}; padding label 0: "
        f"{found[0]:.1f}; padding label 1: {found[1]:.1f}"
    )
    as_known = as_known and abs(found[0] - right) < 1
    as_known = as_known and (abs(found[1] - right) < 1) == (right < 707)
raise SystemExit(not as_known)
PY
    code=$?
    tail -5 "$work/log" >&2
    exit "$code"
}
