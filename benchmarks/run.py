"""Runs each backend in a process of its own, and another one after a crash."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import records
from benchmarks.row import BACKENDS

ROOT = Path(__file__).parents[1]
TURNS = 3  # processes of each checkout, where two are compared
ALWAYS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "JAX_ENABLE_COMPILATION_CACHE": "false",  # first calls are timed
}
DEVICES = {
    "cpu": {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"},
    "gpu": {  # float32 means float32
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "NVIDIA_TF32_OVERRIDE": "0",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    },
}


def measure(options: dict[str, Any], backends: list[str], other: Any) -> bool:
    """Whether all went to their end; processes of two checkouts alternate."""
    turns: list[dict[str, Any]] = [{}]
    if other:
        sides = str(ROOT), str(other.resolve())
        turns = [dict(checkout=s, turn=n) for n in range(TURNS) for s in sides]
    backends = backends or [name for name in BACKENDS if find_spec(name)]
    return all([work(options, b, turn) for b in backends for turn in turns])


def work(options: dict[str, Any], backend: str, turn: dict[str, Any]) -> bool:
    """Goes on behind the cell at which a process crashed."""
    device = DEVICES[options["device"]]
    environment = {**ALWAYS, **device, "KERAS_BACKEND": backend}
    environment["BENCHMARKED_CHECKOUT"] = turn.get("checkout", "")
    command = [sys.executable, "-m", "benchmarks.worker"]
    command.append(json.dumps({**options, "turn": turn}))
    file, before = Path(options["file"]), -1
    while before < (now := len(records.read(file))):
        env, before = os.environ | environment, now
        if subprocess.run(command, cwd=ROOT, env=env).returncode == 0:
            return True
    return False
