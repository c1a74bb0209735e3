#!/usr/bin/env bash
# What keras.layers.MultiHeadAttention and GroupQueryAttention answer for a query
# that may see no key depends on whether a dropout rate is set, in inference too.
# keras 3.15.1, torch 2.13.0, jax 0.10.2.
#
# Behaviour: without dropout the layers call the backend's fused kernel
# (`ops.dot_product_attention`), which gives such a query the mean of all values,
# padding included. With a dropout rate, or with `return_attention_scores=True`,
# they take their own softmax, which gives it weights of 0: the output is 0. Queries
# that see a key get the same numbers either way. A query sees no key if its row of
# `attention_mask` is False, as for an empty sequence, or if a `sliding_window` ends
# before the first key.
#
# Why one would guess wrong: dropout is off in inference, and asking for the scores
# only returns something more.
#
# For users: set the outputs of queries without a key yourself.
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
mask = np.ones((2, 5, 5), "bool")
mask[:, 3] = False  # the fourth query sees no key
makers = {
    "MultiHeadAttention": lambda **how: keras.layers.MultiHeadAttention(
        2, 3, use_bias=False, **how
    ),
    "GroupQueryAttention": lambda **how: keras.layers.GroupQueryAttention(
        3, 2, 1, use_bias=False, **how
    ),
}
as_stated = True
for name, make in makers.items():
    plain, dropping = make(), make(dropout=0.1)
    for layer in (plain, dropping):
        layer.build(x.shape, x.shape)
    dropping.set_weights(plain.get_weights())
    given = {"attention_mask": mask, "training": False}
    outputs = {
        "no dropout": plain(x, x, **given),
        "dropout=0.1": dropping(x, x, **given),
        "with scores": plain(x, x, return_attention_scores=True, **given)[0],
    }
    outputs = {k: keras.ops.convert_to_numpy(y) for k, y in outputs.items()}
    largest = {k: float(abs(y[:, 3]).max()) for k, y in outputs.items()}
    some = [0, 1, 2, 4]
    apart = max(
        float(abs(y - outputs["no dropout"])[:, some].max())
        for y in outputs.values()
    )
    print(f"{keras.backend.backend()}, {name}, largest output without a key:")
    print("  " + ", ".join(f"{k} {v:.2f}" for k, v in largest.items()))
    print(f"  other queries differ by {apart:.0e}")
    zero = largest["dropout=0.1"] == largest["with scores"] == 0
    as_stated &= zero and largest["no dropout"] > 0.1 and apart < 1e-5
raise SystemExit(not as_stated)
PY
    code=$?
    tail -5 "$work/log" >&2
    exit "$code"
}
done
