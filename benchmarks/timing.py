"""Times contenders in turns, so that what disturbs one disturbs all."""

import gc
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def timed(call: Callable[[], Any]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def in_turns(
    calls: dict[str, Callable[[], Any]], seconds: float, least: int, most: int
) -> dict[str, list[float]]:
    """Rounds in which each contender runs once, in an order drawn anew.

    As many as fit into `seconds`, but `least` at least and `most` at most.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    order, shuffle = list(calls), random.Random(0).shuffle
    gc.collect()
    gc.disable()  # its pauses would be somebody's
    start = time.perf_counter()
    try:
        for done in range(most):
            if done >= least and time.perf_counter() - start > seconds:
                break
            shuffle(order)
            for name in order:
                times[name].append(timed(calls[name]))
    finally:
        gc.enable()
    return times


def compared(times: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """For each the median, and the quartiles of its ratios round by round."""
    found: dict[str, dict[str, Any]] = {}
    for name, values in times.items():
        found[name] = {"ms": float(np.median(values)), "rounds": len(values)}
        for other in {"floor", "keras"} & set(times) - {name}:
            ratios = np.divide(values, times[other])
            quartiles = np.quantile(ratios, (0.25, 0.5, 0.75))
            found[name][f"to_{other}"] = [round(q, 4) for q in quartiles]
    return found
