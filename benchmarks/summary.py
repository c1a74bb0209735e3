"""What the numbers of a run say: the worst ratio, the typical one, targets."""

from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np

from benchmarks.row import FLOOR
from benchmarks.row import KERAS
from benchmarks.row import OURS

Results = dict[str, Any]
Found = dict[str, Any]
NO_TIME = "no time was left"
LONG = 2048  # steps, from which on the growth is fitted


def size(shape: Any) -> str:
    return " x ".join(map(str, shape))


def parts(results: Results, part: str) -> Iterator[tuple[str, Found]]:
    """Backend and result of each job of a kind."""
    for backend, found in results["backends"].items():
        for result in found["results"]:
            if result["part"] == part:
                yield backend, result


def cells(
    results: Results, mode: str, dtype: str = "float32"
) -> list[tuple[str, Found]]:
    return [
        (backend, cell)
        for backend, cell in parts(results, "rows")
        if (cell["mode"], cell["dtype"]) == (mode, dtype)
    ]


def spread(cell: Found, name: str = OURS, of: str = FLOOR) -> Found | None:
    """The ratio of two contenders: median over the rounds, and quartiles."""
    return cell.get("contenders", {}).get(name, {}).get(f"to_{of}")


def ratio(cell: Found, name: str = OURS, of: str = FLOOR) -> float | None:
    found = spread(cell, name, of)
    return None if found is None else found["median"]


def worst(found: list[tuple[str, Found]]) -> tuple[float, str, Found] | None:
    """The largest ratio of ours to the floor: with backend and cell."""
    known = [(ratio(cell), backend, cell) for backend, cell in found]
    known = [one for one in known if one[0] is not None]
    return max(known, key=lambda one: one[0], default=None)  # type: ignore


def typical(found: list[tuple[str, Found]]) -> float | None:
    known = [ratio(cell) for _, cell in found]
    return median([one for one in known if one is not None] or [np.nan])


def verdicts(results: Results) -> list[Found]:
    """Each target in each cell: what was asked, what came of it."""
    found = []
    for backend, cell in parts(results, "rows"):
        for target in cell.get("targets", ()):
            one = spread(cell, of=target["of"])
            if one is None:
                continue
            found.append(
                {
                    "row": cell["name"],
                    "mode": cell["mode"],
                    "backend": backend,
                    "shape": size(cell["shape"]),
                    "of": target["of"],
                    "limit": target["limit"],
                    "ratio": one["median"],
                    "q1": one["q1"],
                    "q3": one["q3"],
                    "faults": cell["contenders"][OURS].get("faults"),
                    "met": one["median"] <= target["limit"],
                    "over": one["median"] / target["limit"],
                }
            )
    return found


def unmeasured(results: Results) -> int:
    """How many targets there are of which nobody knows whether they are met."""
    return sum(
        spread(cell, of=target["of"]) is None
        for _, cell in parts(results, "rows")
        for target in cell.get("targets", ())
    )


def exponents(results: Results) -> list[Found]:
    """Times over steps, and the power of the steps that they grow with."""
    found: dict[tuple[str, str, str], dict[int, float]] = {}
    for backend, cell in parts(results, "growth"):
        for name in (FLOOR, OURS):
            time = cell.get("contenders", {}).get(name, {}).get("median_ms")
            if time is not None:
                key = cell["name"], backend, name
                found.setdefault(key, {})[cell["shape"][1]] = time
    return [
        {
            "row": row,
            "backend": backend,
            "contender": name,
            "times": times,
            "exponent": exponent(times),
        }
        for (row, backend, name), times in found.items()
    ]


def exponent(times: dict[int, float]) -> float | None:
    long = {steps: time for steps, time in times.items() if steps >= LONG}
    if len(long) < 2:
        return None
    x, y = np.log(list(long)), np.log(list(long.values()))
    return float(np.polyfit(x, y, 1)[0])


def first_calls(results: Results, mode: str) -> dict[tuple[str, str], Found]:
    """For each row and backend: the median over its shapes, in ms."""
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for backend, cell in cells(results, mode):
        times = found.setdefault((cell["name"], backend), {})
        for name in (FLOOR, KERAS, OURS):
            time = cell.get("contenders", {}).get(name, {}).get("first_ms")
            if time is not None:
                times.setdefault(name, []).append(time)
    return {
        key: {name: median(values) for name, values in times.items()}
        for key, times in found.items()
    }


def fractions(results: Results) -> Iterator[tuple[str, Found, float]]:
    """How near to the speed of a copy our reductions come."""
    speeds = {
        backend: result["bytes_per_s"]
        for backend, result in parts(results, "bandwidth")
        if "bytes_per_s" in result
    }
    for backend, cell in cells(results, "predict"):
        time = cell.get("contenders", {}).get(OURS, {}).get("median_ms")
        if cell.get("group") != "reductions" or "bytes" not in cell:
            continue
        if time and backend in speeds:
            speed = cell["bytes"] / (time / 1e3)
            yield backend, cell, speed / speeds[backend]


def failures(results: Results) -> list[tuple[str, str, str, str]]:
    """What was not measured: backend, what, in which cells, and why."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for backend, one in results["backends"].items():
        if one["error"]:
            found[backend, "the backend", one["error"]] = []
        for result in one["results"]:
            where = (result["mode"], result["dtype"], size(result["shape"]))
            records = {"": result, **result.get("contenders", {})}
            for name, record in records.items():
                why = record.get("error") or record.get("memory_error")
                if not why or why == "not installed":
                    continue
                words, what = list(where), result["name"]
                if name:
                    what += f": {name}"
                if why == NO_TIME:
                    words, what = [what, *words], "the rest"
                cells = found.setdefault((backend, what, why), [])
                cells.append(" ".join(word for word in words if word))
    return [
        (backend, what, "; ".join(cells), why)
        for (backend, what, why), cells in found.items()
    ]
