"""The machine, what runs on it, and how fast it copies memory."""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

GIB = 2**30
PACKAGES = {
    "jax": ("jax", "jaxlib", "sequence-layers"),
    "torch": ("torch",),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
}


def environment(backend: str, device: str) -> dict[str, str]:
    """What a worker starts from: float32 means float32, all is compiled."""
    mine = {
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUNBUFFERED": "1",
        "JAX_ENABLE_COMPILATION_CACHE": "false",  # first calls are timed
    }
    if device == "cpu":
        return mine | {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    return mine | {
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "NVIDIA_TF32_OVERRIDE": "0",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    }


def gpu(backend: str) -> str | None:
    """The name of the GPU that the backend of this process uses."""
    if backend == "torch":
        import torch

        if not torch.cuda.is_available():
            return None
        return torch.cuda.get_device_name(0)
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        if not found:
            return None
        details = tf.config.experimental.get_device_details(found[0])
        return details.get("device_name", "GPU")
    import jax

    if jax.default_backend() != "gpu":
        return None
    return jax.devices()[0].device_kind


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions(backend: str) -> dict[str, str]:
    found = {}
    for name in ("keras", "numpy", *PACKAGES[backend]):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def described(backend: str, device: str) -> dict[str, Any]:
    import keras

    return {
        "processor": processor(),
        "cores": cores(),
        "gpu": gpu(backend) if device == "gpu" else None,
        "python": platform.python_version(),
        "versions": {**versions(backend), "keras": keras.__version__},
        "threads": os.environ.get("OMP_NUM_THREADS", "the default"),
    }


def bandwidth(backend: str, device: str, quick: bool = False) -> dict[str, Any]:
    """Bytes read and written in a second by a copy: the best of several."""
    size = GIB // 64 if quick else GIB
    if device == "gpu":
        repeats, copy = 10, _on_gpu(backend, size)
        how = f"by {backend} on the GPU"
    else:
        # By NumPy, into pages that are there: the limit of the machine.
        size, repeats = size // 2, 4
        copy, how = _on_cpu(size), f"by NumPy in {cores()} threads"
    copy()
    best = min(_timed(copy) for _ in range(repeats))
    return {"bytes_per_s": 2 * size / best, "copied": size, "how": how}


def _timed(copy: Any) -> float:
    start = time.perf_counter()
    copy()
    return time.perf_counter() - start


def _on_cpu(size: int) -> Any:
    source, target = np.ones(size, "uint8"), np.zeros(size, "uint8")
    parts = cores()
    pieces = list(
        zip(np.array_split(target, parts), np.array_split(source, parts))
    )
    pool = ThreadPoolExecutor(parts)

    def copy() -> None:
        list(pool.map(lambda piece: np.copyto(*piece), pieces))

    return copy


def _on_gpu(backend: str, size: int) -> Any:
    """A copy; where there is none, x + 1, which moves the same bytes."""
    count = size // 4
    if backend == "torch":
        import torch

        source = torch.ones(count, device="cuda")
        target = torch.zeros(count, device="cuda")

        def copy() -> None:
            target.copy_(source)
            torch.cuda.synchronize()

        return copy
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.ones(count)
        run = tf.function(lambda x: x + 1.0)

        def add() -> None:
            run(x)
            tf.test.experimental.sync_devices()

        return add
    import jax
    import jax.numpy as jnp

    source, run_jax = jnp.ones(count), jax.jit(lambda x: x + 1.0)
    return lambda: jax.block_until_ready(run_jax(source))
