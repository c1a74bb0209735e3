#!/usr/bin/env bash
# keras.layers.MultiHeadAttention with `value_dim` other than `key_dim` fails on JAX,
# unless a dropout rate is set or the scores are returned.
# keras 3.15.1, jax 0.10.2; torch 2.13.0 works.
#
# Behaviour: without dropout the layer calls `ops.dot_product_attention`, which on
# JAX is `jax.nn.dot_product_attention`: there values have the shape of keys. The
# error speaks of a reshape, not of `value_dim`. With a dropout rate, even in
# inference, or with `return_attention_scores=True`, the layer takes its own formula,
# which works, as it does on PyTorch in any case.
#
# Why one would guess wrong: `value_dim` is an argument of the layer, and the same
# model runs with a dropout rate and fails without one.
#
# For users: `dropout=1e-7`, or values as wide as keys.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 jax==0.10.2 keras==3.15.1
for backend in torch jax; do
KERAS_BACKEND=$backend "$work/venv/bin/python" - 2> "$work/log" <<'PY' || {
import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")


def outcome(scores=False, **how):
    layer = keras.layers.MultiHeadAttention(2, 3, value_dim=2, **how)
    try:
        y = layer(x, x, return_attention_scores=scores, training=False)
    except (TypeError, ValueError) as error:
        return f"{type(error).__name__}"
    return f"outputs {tuple((y[0] if scores else y).shape)}"


found = {
    "no dropout": outcome(),
    "dropout=0.1": outcome(dropout=0.1),
    "with scores": outcome(scores=True),
}
backend = keras.backend.backend()
for name, result in found.items():
    print(f"{backend}, {name}: {result}")
fails = {k: v for k, v in found.items() if not v.startswith("outputs")}
raise SystemExit(list(fails) != (["no dropout"] if backend == "jax" else []))
PY
    code=$?
    tail -5 "$work/log" >&2
    exit "$code"
}
done
