"""What a run measures, the most important first: all of it may not fit."""

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from benchmarks.models import MODELS
from benchmarks.modes import EXTRA
from benchmarks.row import Shape
from benchmarks.rows import ROWS
from benchmarks.rows import chosen

QUICK: Shape = (4, 64, 16)
STEPS = (128, 512, 2048, 8192, 16384)
GROWING = ("mean", "max", "softmax", "conv_64", "average_2")
PARTS = ("rows", "growth", "models")
# `torch.compile` takes seconds for each formula.
FEW = ("mean", "variance", "max", "softmax", "conv_64")


@dataclass(frozen=True)
class Job:
    """A cell, or a model, or the speed of a copy."""

    part: str
    name: str
    mode: str = "predict"
    dtype: str = "float32"
    shape: Shape = ()

    def described(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        size = "x".join(map(str, self.shape))
        words = (self.part, self.name, self.mode, self.dtype, size)
        return " ".join(word for word in words if word)


def plan(backend: str, options: dict[str, Any]) -> list[Job]:
    """All jobs of a run, in order."""
    _check(options["only"])
    quick, modes = options["quick"], options["modes"]
    extra = [m for m in EXTRA[backend] if m in modes]
    rows = chosen(options["only"])
    aims = [row for row in rows if row.targets]
    rest = [row for row in rows if not row.targets]
    jobs = [Job("bandwidth", "copy")] if "rows" in options["parts"] else []

    def cells(some: list[Any], mode: str, dtype: str = "float32") -> list[Job]:
        return [
            Job("rows", row.name, mode, dtype, shape)
            for row in some
            if mode in modes and mode in row.modes
            for shape in (row.shapes if dtype == "float32" else row.shapes[:1])
        ]

    growing = [row for row in rows if row.name in GROWING]
    halves = [row for row in rows if row.half]
    parts = {
        "rows": cells(aims + rest, "predict") + cells(aims, "fit"),
        "growth": [
            Job("growth", row.name, shape=(4, steps, 64))
            for row in growing
            for steps in STEPS
        ],
        "models": models(options["only"]),
        "values": [
            Job("values", row.name, shape=row.shapes[0]) for row in rows
        ],
    }
    for part in options["parts"]:
        jobs += parts.get(part, [])
    if "rows" in options["parts"]:
        jobs += cells(rest, "fit")
        for mode in ("predict", "fit"):
            jobs += cells(halves, mode, "bfloat16")
        jobs += [
            Job("rows", row.name, mode, "float32", row.shapes[0])
            for mode in extra
            for row in aims
            if (backend, mode) != ("torch", "compiled") or row.name in FEW
        ]
    return _smaller(jobs) if quick else jobs


def _check(only: list[str]) -> None:
    known = {*ROWS, *(row.group for row in ROWS.values())}
    known |= {"models", *MODELS}
    if unknown := sorted(set(only) - known):
        raise SystemExit(
            f"--only: no row or group is named {', '.join(unknown)}; there are "
            f"{', '.join(sorted(known))}"
        )


def models(only: list[str]) -> list[Job]:
    names = [n for n in MODELS if not only or n in only or "models" in only]
    return [Job("models", name) for name in names]


def _smaller(jobs: list[Job]) -> list[Job]:
    """One shape for each row; growth over two lengths."""
    small = []
    for job in jobs:
        shape = QUICK if job.part in ("rows", "values") else job.shape
        if job.part == "growth" and job.shape[1] not in (2048, 8192):
            continue
        small.append(Job(job.part, job.name, job.mode, job.dtype, shape))
    return list(dict.fromkeys(small))
