#!/usr/bin/env bash
# Embedding(lora_rank=..., lora_alpha=...) ignores lora_alpha. Keras 3.15.1 (JAX).
#
# Behaviour: the constructor stores `lora_alpha`, but the build enables LoRA with
# the rank alone, which sets `lora_alpha` to the rank. With rank 2 and alpha 8
# the update of the table is scaled by 1 instead of 4. `layer.enable_lora(2,
# lora_alpha=8)` on the built layer works as documented. Dense behaves like
# Embedding.
#
# Why one would guess wrong: the argument is documented ("scaled by `lora_alpha /
# lora_rank`"), is stored before the build, and there is no error or warning.
#
# For users: fine-tuning with the constructor argument has a different strength
# than configured. Build the layer, call `enable_lora(rank, lora_alpha=...)`,
# then check `layer.lora_alpha`.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2
KERAS_BACKEND=jax "$work/venv/bin/python" - <<'PY'
import keras
import numpy as np


def update(layer):
    """What LoRA adds to the vector of id 1, where the product is all 2."""
    before = np.asarray(layer(np.array([[1]])))
    layer.lora_embeddings_a.assign(np.ones((4, 2)))
    layer.lora_embeddings_b.assign(np.ones((2, 3)))
    return float((np.asarray(layer(np.array([[1]]))) - before)[0, 0, 0])


by_constructor = keras.layers.Embedding(4, 3, lora_rank=2, lora_alpha=8)
stored = by_constructor.lora_alpha
by_constructor.build()
by_method = keras.layers.Embedding(4, 3)
by_method.build()
by_method.enable_lora(2, lora_alpha=8)
dense = keras.layers.Dense(3, lora_rank=2, lora_alpha=8)
dense.build((None, 4))

seen = [
    ("constructor: alpha before the build", stored),
    ("constructor: alpha after the build", by_constructor.lora_alpha),
    ("constructor: update", update(by_constructor)),
    ("enable_lora: alpha", by_method.lora_alpha),
    ("enable_lora: update", update(by_method)),
    ("Dense by its constructor: alpha", dense.lora_alpha),
]
for name, value in seen:
    print(f"{name:40} {value}")
known = [8, 2, 2.0, 8, 8.0, 2]
raise SystemExit(not np.allclose([value for _, value in seen], known))
PY
