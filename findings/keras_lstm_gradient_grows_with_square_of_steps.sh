#!/usr/bin/env bash
# The gradient of keras.layers.LSTM and GRU on PyTorch and a CPU takes time and
# memory traffic that grow with the square of the steps.
# keras 3.15.1, torch 2.13.0.
#
# Behaviour: since 3.15, layers without a mask compute the products of all steps
# with the kernel at once, (steps, batch, gates), and take each step from it by an
# index. PyTorch's gradient of an index is a tensor of zeros of the full size with
# one step filled in; 512 of these are made and added up. Four times the steps
# allocate sixteen times as much in the backward pass. With a mask, which takes
# Keras' general loop (`torch.unbind`), and in `torch.nn.LSTM`, it is four times:
# from about 200 steps on, training with a mask is faster than without.
#
# Why one would guess wrong: the path exists to be faster than the loop, and its
# forward pass is, three times; every other recurrent layer is linear in the steps.
#
# For users: cut the sequence into parts of 16 steps and hand the states on, or pass
# `use_cudnn=False`, which takes the loop.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 keras==3.15.1
KERAS_BACKEND=torch "$work/venv/bin/python" - 2> "$work/log" <<'PY' || {
import time

import keras
import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile

torch.set_num_threads(1)


def backward(layer, steps):
    """MiB that a backward pass allocates, and its CPU seconds."""
    x = torch.randn(8, steps, 16, requires_grad=True)
    y = layer(x)
    y = y[0] if isinstance(y, tuple) else y
    cpu = [ProfilerActivity.CPU]
    with profile(activities=cpu, profile_memory=True) as found:
        (y * torch.rand_like(y)).sum().backward()
    used = [event.self_cpu_memory_usage for event in found.key_averages()]
    y = layer(x)
    y = y[0] if isinstance(y, tuple) else y
    start = time.process_time()
    (y * torch.rand_like(y)).sum().backward()
    return sum(n for n in used if n > 0) / 2**20, time.process_time() - start


makers = {
    "keras LSTM": lambda: keras.layers.LSTM(32, return_sequences=True),
    "keras GRU": lambda: keras.layers.GRU(32, return_sequences=True),
    "keras LSTM, loop": lambda: keras.layers.LSTM(
        32, return_sequences=True, use_cudnn=False
    ),
    "torch.nn.LSTM": lambda: torch.nn.LSTM(16, 32, batch_first=True),
}
growth = {}
for name, make in makers.items():
    layer = make()
    short, long = backward(layer, 128), backward(layer, 512)
    growth[name] = long[0] / short[0]
    print(
        f"{name}, 128 and 512 steps: {short[0]:.0f} and {long[0]:.0f} MiB "
        f"({growth[name]:.1f} times), {short[1]:.2f} and {long[1]:.2f} s"
    )
square = all(growth[f"keras {kind}"] > 12 for kind in ("LSTM", "GRU"))
linear = growth["keras LSTM, loop"] < 6 and growth["torch.nn.LSTM"] < 6
raise SystemExit(not (square and linear))
PY
    code=$?
    tail -5 "$work/log" >&2
    exit "$code"
}
