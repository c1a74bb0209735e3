"""The processes of workers: their environment, end and last output."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

BACKENDS = ("jax", "torch", "tensorflow")
POSIX = os.name == "posix"  # process groups, and signals to them
QUOTED = 8  # lines to quote from the log of a worker that ended
# Lines of the log to skip: frames of the kit, and messages of frameworks.
NOISE = re.compile(
    rf'File "({re.escape(str(Path(__file__).parent))}|<frozen)'
    r"|^Extension modules|^WARNING: All log messages|^[IWE]\d{4} "
)


def installed() -> list[str]:
    return [backend for backend in BACKENDS if find_spec(backend)]


def load_torch_first(backend: str) -> None:
    """Imports torch before TensorFlow: otherwise the process may crash."""
    if backend == "tensorflow" and find_spec("torch"):
        import_module("torch")


@contextmanager
def missing(names: Iterable[str]) -> Iterator[None]:
    """Lets imports of these modules fail, as if they were not installed.

    Keras imports some at once that it hardly needs, if they are there.
    """
    hidden: dict[str, Any] = {n: None for n in names if n not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def spared(backend: str) -> list[str]:
    """What Keras on that backend imports for plots and checkpoints only."""
    return ["matplotlib", *(["jax"] if backend != "jax" else [])]


class TorchFirst:
    """A finder of modules that starts the process again to import torch.

    Once TensorFlow is there torch may crash, and to import it first in any case
    takes a second. `again` replaces the process.
    """

    def __init__(self, again: Callable[[], None]) -> None:
        self.again: Callable[[], None] | None = again

    def find_spec(self, name: str, *_: Any) -> None:
        if name == "torch" and "tensorflow" in sys.modules and self.again:
            self.again()


def environment(backend: str, device: str, home: Path) -> dict[str, str]:
    """The environment of a worker, without the user's Keras settings."""
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
    # Inputs are tiny, and the threads of workers wait busily for each other.
    kept = {"OMP_NUM_THREADS": "1"}
    if backend == "jax":
        # JAX spends most time compiling, for the same shapes in each run.
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        kept |= {
            "JAX_COMPILATION_CACHE_DIR": f"{cache}/keras-masking/jax",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    return {**kept, **os.environ, **mine}


def stop(processes: Iterable["subprocess.Popen[bytes]"]) -> None:
    """Ends the processes and their children; each has its own process group."""
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
    """The end of a worker's log, or the traceback of where it stopped."""
    lines = [
        line[:100]
        for line in log.splitlines()
        if line.strip() and not NOISE.search(line)
    ]
    for at, line in enumerate(lines):
        if line.startswith(("Fatal Python error", "Current thread")):
            return "\n".join(lines[at:][:QUOTED])
    return "\n".join(lines[-QUOTED:])
