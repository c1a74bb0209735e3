"""What a worker's process starts from, how it is ended, its last words."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

BACKENDS = ("jax", "torch", "tensorflow")
POSIX = os.name == "posix"  # process groups, and signals to them
WORDS = 8  # lines of what a worker said before it ended
# In its log: frames of the kit, and what frameworks say of themselves.
NOISE = re.compile(
    rf'File "({re.escape(str(Path(__file__).parent))}|<frozen)'
    r"|^Extension modules|^WARNING: All log messages|^[IWE]\d{4} "
)


def installed() -> list[str]:
    return [backend for backend in BACKENDS if find_spec(backend)]


def load_torch_first(backend: str) -> None:
    """Before TensorFlow: the other way round the process may crash."""
    if backend == "tensorflow" and find_spec("torch"):
        import_module("torch")


def environment(backend: str, device: str, home: Path) -> dict[str, str]:
    """What a worker starts from: nothing of the user's Keras."""
    mine = {
        "KERAS_BACKEND": backend,
        "KERAS_HOME": str(home),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONUNBUFFERED": "1",
    }
    if device == "cpu":
        mine |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    else:
        # The backends share the GPU, and float32 means float32.
        mine |= {
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            "NVIDIA_TF32_OVERRIDE": "0",
            "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        }
    if backend == "jax":
        # Most of JAX's time is compilation, of the same shapes each time.
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        kept = {
            "JAX_COMPILATION_CACHE_DIR": f"{cache}/keras-masking/jax",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
        return {**kept, **os.environ, **mine}
    return {**os.environ, **mine}


def stop(processes: Iterable["subprocess.Popen[bytes]"]) -> None:
    """Ends the processes, and what they started: each has its own group."""
    processes = list(processes)
    for number, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 10.0)):
        for process in processes:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
        until = time.monotonic() + patience
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.0, until - time.monotonic()))
    for process in processes:
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()


def last_words(log: str) -> str:
    """The last words of a worker, or where its layer was when it ended."""
    lines = [
        line[:100]
        for line in log.splitlines()
        if line.strip() and not NOISE.search(line)
    ]
    for at, line in enumerate(lines):
        if line.startswith(("Fatal Python error", "Current thread")):
            return "\n".join(lines[at:][:WORDS])
    return "\n".join(lines[-WORDS:])
