"""Runs the jobs of each backend in a process of its own.

A process that crashes or hangs costs the job it was at; another one goes on
behind it.
"""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.machine import environment
from benchmarks.worker import MARK

ROOT = Path(__file__).parents[1]
BACKENDS = ("jax", "torch", "tensorflow")
PATIENCE = 180.0  # seconds for one job
Options = dict[str, Any]


def installed() -> list[str]:
    return [backend for backend in BACKENDS if find_spec(backend)]


def measure(backends: list[str], options: Options) -> dict[str, Any]:
    """All numbers of a run."""
    found = {}
    for backend in backends:
        if options["device"] == "gpu":
            found[backend] = _on_gpu(backend, options)
        else:
            found[backend] = run(backend, options)
    kept = ("device", "quick", "only", "modes", "parts", "seconds")
    return {
        "date": date.today().isoformat(),
        "options": {key: options[key] for key in kept},
        "device": options["device"],
        "backends": found,
    }


def _on_gpu(backend: str, options: Options) -> dict[str, Any]:
    """As on a CPU; then the values, against those of a process on one."""
    found = run(backend, options)
    if found["error"]:
        return found
    with tempfile.TemporaryDirectory() as folder:
        values = {**options, "parts": ["values"], "values": folder}
        run(backend, {**values, "device": "cpu"})
        found["results"] += run(backend, values)["results"]
    return found


def run(
    backend: str, options: Options, show: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """The results of one backend, and what it ran on."""
    show = show or _show
    found: dict[str, Any] = {"machine": {}, "results": [], "error": None}
    until = time.monotonic() + options["seconds"]
    skip = 0
    while True:
        left = until - time.monotonic()
        now = {**options, "skip": skip, "seconds": left}
        doing: dict[str, Any] | None = None
        total = None
        for message in _messages(backend, now):
            if "machine" in message:
                found["machine"], total = message["machine"], message["jobs"]
            elif "fatal" in message:
                found["error"] = message["fatal"]
                return found
            elif "start" in message:
                doing = message
                show(f"{backend} {doing['start'] + 1}/{total} {doing['text']}")
            elif "done" in message:
                found["results"].append({**message["job"], **message["result"]})
                doing, skip = None, message["done"] + 1
            else:
                end = message["ended"]
        if doing is None:
            if total is None or skip < total:
                found["error"] = end
            return found
        found["results"].append({**doing["job"], "error": end})
        skip = doing["start"] + 1


def _messages(backend: str, options: Options) -> Iterator[dict[str, Any]]:
    """What a worker says; the last is how it ended."""
    python = str(ROOT), os.environ.get("PYTHONPATH", "")
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker", json.dumps(options)],
        cwd=ROOT,
        env={
            **os.environ,
            **environment(backend, options["device"]),
            "PYTHONPATH": os.pathsep.join(part for part in python if part),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: queue.Queue[str | None] = queue.Queue()
    words: list[str] = []

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)
        lines.put(None)

    def listen() -> None:
        for line in process.stderr or ():
            words.append(line.rstrip())
            del words[:-5]

    readers = [threading.Thread(target=f, daemon=True) for f in (read, listen)]
    for reader in readers:
        reader.start()
    why = ""
    while True:
        try:
            line = lines.get(timeout=PATIENCE)
        except queue.Empty:
            process.kill()
            why = f"it took more than {PATIENCE:.0f} seconds"
            break
        if line is None:
            break
        if line.startswith(MARK):
            yield json.loads(line[len(MARK) :])
    code = process.wait()
    for reader in readers:
        reader.join(timeout=5)
    last = words[-1] if words and code else ""
    yield {"ended": why or f"the process ended with {code}: {last}"[:200]}


def _show(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
