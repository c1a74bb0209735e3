"""One backend: does the jobs of a run, and says each result in a line.

    python -m benchmarks.worker '{"device": "cpu", ...}'

Started by `benchmarks.run`, with `KERAS_BACKEND` set. A line that begins with
`MARK` is JSON: what it starts from, which job begins, what came of it.
"""

import gc
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

MARK = "@benchmark "
# A whole model costs as much as so many cells.
WEIGHT = {"models": 8.0}
MOST = {"rows": 1.0, "growth": 0.4, "models": 8.0}
QUICK_ROUNDS = (3, 5)


def say(**what: Any) -> None:
    print(MARK + json.dumps(what), flush=True)


class Worker:
    def __init__(self, options: dict[str, Any]) -> None:
        from benchmarks.machine import described

        self.options = options
        self.until = time.monotonic() + options["seconds"]
        self.backend = _backend()
        self.machine = described(self.backend, options["device"])

    def work(self) -> None:
        from benchmarks.jobs import plan
        from benchmarks.summary import NO_TIME

        if self.options["device"] == "gpu" and self.machine["gpu"] is None:
            say(fatal=f"--device gpu: {self.backend} finds none")
            return
        jobs = plan(self.backend, self.options)
        say(machine=self.machine, jobs=len(jobs))
        self.warm_up()
        for at, job in enumerate(jobs):
            if at < self.options["skip"]:
                continue
            say(start=at, job=job.described(), text=str(job))
            left = self.until - time.monotonic()
            ahead = sum(WEIGHT.get(later.part, 1.0) for later in jobs[at:])
            share = left * WEIGHT.get(job.part, 1.0) / ahead
            if left < 0:
                result: dict[str, Any] = {"error": NO_TIME}
            else:
                result = self.one(job, share / 2)  # half of it compiles
            if job.part == "rows":  # asked for, whatever came of it
                result["targets"] = self.targets(job)
            say(done=at, job=job.described(), result=result)

    def warm_up(self) -> None:
        """Once per process: what the first compilation of all loads."""
        from benchmarks.cell import Cell
        from benchmarks.rows import ROWS

        for mode in ("predict", "fit"):
            Cell(ROWS["mean"], mode, "float32", (2, 3, 4)).prepare()
        gc.freeze()  # what is here stays; looking through it takes long

    def one(self, job: Any, share: float) -> dict[str, Any]:
        from benchmarks.cell import first_line

        began = time.monotonic()
        seconds = min(max(share, 0.1), MOST.get(job.part, 1.0))
        try:
            result = getattr(self, f"do_{job.part}")(job, seconds)
        except Exception as error:
            result = {"error": first_line(error)}
        return {**result, "seconds": round(time.monotonic() - began, 2)}

    def do_bandwidth(self, job: Any, seconds: float) -> dict[str, Any]:
        from benchmarks.machine import bandwidth

        options = self.options
        return bandwidth(self.backend, options["device"], options["quick"])

    def do_models(self, job: Any, seconds: float) -> dict[str, Any]:
        from benchmarks.models import measure

        return measure(job.name, seconds, self.options["quick"])

    def do_growth(self, job: Any, seconds: float) -> dict[str, Any]:
        cell = self.cell(job)
        cell.prepare(("floor", "ours"))
        cell.measure(seconds)
        return {"contenders": cell.found}

    def do_rows(self, job: Any, seconds: float) -> dict[str, Any]:
        cell = self.cell(job)
        cell.prepare()
        cell.measure(seconds, *[QUICK_ROUNDS] * self.options["quick"])
        if job.dtype == "float32" and job.mode in ("predict", "fit"):
            cell.weigh()
        result: dict[str, Any] = {"contenders": cell.found}
        if job.mode == "predict" and "ours" in cell.runs:
            result["bytes"] = cell.traffic()
        return {**result, **cell.row.described()}

    def do_values(self, job: Any, seconds: float) -> dict[str, Any]:
        """Written by a process on the CPU, compared by one on the GPU."""
        import numpy as np

        cell = self.cell(job)
        cell.prepare(("ours",))
        if "ours" not in cell.runs:
            return cell.found.get("ours", {"error": "no `ours`"})
        file = Path(self.options["values"]) / f"{job.name}.npy"
        if self.options["device"] == "cpu":
            np.save(file, cell.values())
            return {}
        return difference(cell.values(), np.load(file))

    def cell(self, job: Any) -> Any:
        from benchmarks.cell import Cell
        from benchmarks.rows import ROWS

        row = ROWS[job.name]
        main = self.options["quick"] or job.shape == row.shapes[0]
        return Cell(row, job.mode, job.dtype, job.shape, main)

    def targets(self, job: Any) -> list[dict[str, Any]]:
        from benchmarks.rows import ROWS

        if job.dtype != "float32" or job.shape not in ROWS[job.name].shapes:
            return []
        limits = [
            (target.of, target.limit(self.backend, job.mode, job.shape))
            for target in ROWS[job.name].targets
        ]
        return [{"of": of, "limit": limit} for of, limit in limits if limit]


def difference(values: Any, others: Any) -> dict[str, float]:
    """The largest, and as a share of the largest value."""
    import numpy as np

    if values.shape != others.shape:
        return {"difference": float("inf"), "relative": float("inf")}
    apart = np.abs(values - others)
    same_nan = np.isnan(values) & np.isnan(others)
    largest = float(np.max(np.where(same_nan, 0, apart), initial=0.0))
    size = float(np.max(np.abs(np.nan_to_num(others)), initial=0.0))
    return {"difference": largest, "relative": largest / (size or 1.0)}


def _backend() -> str:
    import keras

    return keras.backend.backend()


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    Worker(json.loads(sys.argv[1])).work()
