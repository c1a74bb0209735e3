"""One backend: measures the cells of a run, and records each in a line.

    python -m benchmarks.worker '{"file": "...", ...}'

Started by `benchmarks.run`, with `KERAS_BACKEND` set. Before a cell is measured
it is recorded as failed, so that a process that crashes or hangs costs the cell
it was at: the next one leaves out what has a record.
"""

import faulthandler
import gc
import json
import os
import platform
import re
import subprocess
import sys
import warnings
from datetime import date
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import keras

from benchmarks import models
from benchmarks import records
from benchmarks.measure import first_line
from benchmarks.measure import measure
from benchmarks.modes import RUN
from benchmarks.rows import ROWS

PATIENCE = 300.0  # seconds for one cell
QUICK = (4, 64, 16)
# Seconds, fewest and most rounds.
HOW = {False: (0.6, 5, 200), True: (0.1, 3, 5)}
EPOCHS = {False: (256, 4.0, 3, 50), True: (64, 0.0, 2, 2)}
PACKAGES = {"numpy", "jax", "jaxlib", "torch", "tensorflow", "tensorflow-cpu"}
PACKAGES |= {"keras", "keras-nightly", "sequence-layers"}


def plan(backend: str, options: dict[str, Any]) -> list[records.Record]:
    """All cells of a run, in order."""
    names, known = set(options["names"]), {"models", *ROWS, *models.MODELS}
    known |= {row.group for row in ROWS.values()}
    if unknown := names - known:
        there = ", ".join(sorted(known))
        raise SystemExit(f"no rows are named {unknown}; there are {there}")
    cells: dict[tuple[Any, ...], None] = {}
    for mode in (mode for mode in options["modes"] if mode in RUN[backend]):
        for row in (row for row in ROWS.values() if backend in row.backends):
            for dtype, shape in row.cells(mode):
                shape = QUICK if options["quick"] else shape
                cells[row.group, row.name, mode, dtype, shape] = None
        for name in models.MODELS if mode in ("predict", "fit") else ():
            cells["models", name, mode, "float32", ()] = None
    chosen = (c for c in cells if not names or names & {*c[:2]})
    keys = ("group", "row", "mode", "dtype", "shape")
    return [dict(zip(keys, (*c[:-1], [*c[-1]]))) for c in chosen]


def do(job: records.Record, backend: str, quick: bool) -> records.Record:
    group, name, mode, dtype, shape = job.values()
    if group == "models":
        found = models.measure(name, mode, *EPOCHS[quick])
        return {"limits": models.LIMITS, "contenders": found}
    row, shape = ROWS[name], tuple(shape)
    limits = row.limits(backend, mode, shape) if dtype == "float32" else {}
    main = shape in (QUICK, row.shapes[0])
    return {
        "ours": row.ours.text,
        "keras": row.keras,
        "limits": {} if quick or mode not in row.modes else limits,
        "contenders": measure(row, mode, dtype, shape, main, *HOW[quick]),
    }


def machine(backend: str, device: str) -> records.Record:
    processor, info = platform.processor(), Path("/proc/cpuinfo")
    if info.exists():
        processor = re.findall("model name.*: (.*)", info.read_text())[0]
    if device == "gpu":
        if "cpu" in str(keras.ops.zeros(1).device).lower():
            raise SystemExit(f"--device gpu: {backend} finds none")
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        processor = subprocess.check_output(command, text=True).strip()
    found = {d.name.replace("_", "-"): d.version for d in distributions()}
    versions = [f"{name} {found[name]}" for name in PACKAGES & set(found)]
    return {
        "group": "machine",
        "date": date.today().isoformat(),
        "device": device,
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "the default"),
        "versions": ", ".join(sorted(versions)),
    }


def work(options: dict[str, Any]) -> None:
    backend, file = keras.backend.backend(), Path(options["file"])
    where = {"backend": backend, **options["turn"]}
    jobs = plan(backend, options)
    done = {records.key(record) for record in records.read(file)}
    records.append(file, {**where, **machine(backend, options["device"])})
    for mode in ("predict", "fit"):  # what the first compilation of all loads
        measure(ROWS["mean"], mode, "float32", (2, 3, 4), False, 0.0, 1, 1)
    gc.freeze()  # what is here stays; looking through it takes long
    for job in jobs:
        record = {**where, **job, "error": "its process crashed or hung"}
        if records.key(record) in done:
            continue
        records.append(file, record)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        try:
            record |= do(job, backend, options["quick"])
            del record["error"]
        except Exception as error:
            record["error"] = first_line(error)
        faulthandler.cancel_dump_traceback_later()
        records.append(file, record)
        print(records.line(record), flush=True)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    work(json.loads(sys.argv[1]))
