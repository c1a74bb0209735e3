#!/usr/bin/env bash
# In keras-hub's ESM the padding mask hides queries, and not keys.
# keras-hub 0.32.0, Keras 3.15.1 (on JAX and PyTorch).
#
# Behaviour: on JAX and TensorFlow, `ESMBackbone` makes a mask of the shape
# (batch, 1, steps, 1), which broadcasts over the keys: real tokens attend to
# padding, and their vectors change with the number of pad tokens. Padding
# queries attend to nothing, which nobody reads. On PyTorch the same code
# transposes the mask, and padding changes nothing. No error, no warning.
#
# Why one would guess wrong: the backbone takes its mask from the pad id by
# itself, the same weights give different vectors on two backends, and both are
# right for a batch without padding.
#
# For users: embeddings of proteins depend on the longest one in the batch. Run
# ESM on PyTorch, or batch proteins of one length.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0
"$work/venv/bin/pip" install --quiet keras==3.15.1 keras-hub==0.32.0 \
    jax==0.10.2 torch==2.13.0
cat > "$work/drift.py" <<'PY'
import sys

import keras
import keras_hub
import numpy as np

keras.utils.set_random_seed(0)
model = keras_hub.models.ESMBackbone(
    vocabulary_size=30,
    num_layers=2,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=16,
    max_sequence_length=32,
)
tokens = np.array([[5, 7, 9, 11]])
short = model.predict({"token_ids": tokens}, verbose=0)
drifts = []
for more in (1, 4, 16):
    padded = np.pad(tokens, ((0, 0), (0, more)))
    long = model.predict({"token_ids": padded}, verbose=0)
    drifts.append(np.abs(long[:, :4] - short).max())
    backend = keras.backend.backend()
    print(f"{backend:5} {more:2} pad tokens: vectors move by {drifts[-1]:.1e}")
moves = sys.argv[1] == "moves"
raise SystemExit(not (min(drifts) > 1e-2 if moves else max(drifts) < 1e-5))
PY
KERAS_BACKEND=jax "$work/venv/bin/python" "$work/drift.py" moves
KERAS_BACKEND=torch "$work/venv/bin/python" "$work/drift.py" stays
