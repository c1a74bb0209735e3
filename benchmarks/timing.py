"""Times contenders in turns, so that what disturbs one disturbs all."""

import gc
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np

try:
    import resource
except ImportError:  # Windows has none
    resource = None  # type: ignore[assignment]

ROUNDS = (5, 200)
PATIENCE = 5.0  # times the seconds, from which on 3 rounds are enough


def timed(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(
    calls: dict[str, Callable[[], Any]],
    seconds: float,
    rounds: tuple[int, int] = ROUNDS,
) -> dict[str, list[float]]:
    """Rounds in which each contender runs once, in an order drawn anew.

    As many as fit into `seconds`, between the two numbers of `rounds`; fewer
    where they take many times as long.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    order, shuffle = list(calls), random.Random(0).shuffle
    fewest, most = rounds
    gc.collect()
    gc.disable()  # its pauses would be somebody's
    start = time.perf_counter()
    try:
        for done in range(most):
            taken = time.perf_counter() - start
            if done >= fewest and taken > seconds:
                break
            if done >= 3 and taken > PATIENCE * max(seconds, 0.1):
                break
            shuffle(order)
            for name in order:
                times[name].append(timed(calls[name]))
    finally:
        gc.enable()
    return times


def faults(call: Callable[[], Any]) -> int | None:
    """Pages that one call has the system map: each costs about 1 us."""
    if resource is None:
        call()
        return None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    call()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def spread(values: list[float]) -> dict[str, float]:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {"median": float(middle), "q1": float(low), "q3": float(high)}


def ratios(times: list[float], others: list[float]) -> dict[str, float]:
    """The ratio in each round: its median and quartiles."""
    return spread([a / b for a, b in zip(times, others)])
