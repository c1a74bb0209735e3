"""Compares the outputs of the backends for one case. NumPy only, no Keras."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from keras_masking.contract.report import Result

RELATIVE = 1e-4
HALF = 2e-2  # float16 and bfloat16 have 3 digits
LEAST = 1e-6  # rounding errors of float32 in numbers that cancel

Digest = Mapping[str, Any]


def judge(result: Result, digests: dict[str, Any]) -> Result:
    """The `result`, decided; its reason is that of an expected failure."""
    broken = [f"{b}: {d['error']}" for b, d in digests.items() if "error" in d]
    if broken:
        return replace(result, status="kit-error", seen="; ".join(broken))
    if any(d["random"] for d in digests.values()):
        return replace(result, status="n/a", reason="its outputs are random")
    seen = disagreement(digests)
    status = "x" * bool(result.reason) + ("fail" if seen else "pass")
    return replace(result, status=status, seen=seen)


def disagreement(digests: Mapping[str, Digest]) -> str:
    """Where two backends differ most, in words; '' if they agree."""
    found = [
        _pair((a, digests[a]), (b, digests[b]))
        for a, b in combinations(digests, 2)
    ]
    return max(found, key=lambda pair: pair[0], default=(0.0, ""))[1]


def _pair(
    one: tuple[str, Digest], other: tuple[str, Digest]
) -> tuple[float, str]:
    (a, x), (b, y) = one, other
    if len(x["outputs"]) != len(y["outputs"]):
        return np.inf, (
            f"{len(x['outputs'])} outputs on {a}, {len(y['outputs'])} on {b}"
        )
    found = [(0.0, "")]
    for i in range(len(x["outputs"])):
        name = f"output {i}" if len(x["outputs"]) > 1 else "the output"
        found.append(_leaf(name, i, one, other))
    return max(found, key=lambda leaf: leaf[0])


def _leaf(
    name: str, i: int, one: tuple[str, Digest], other: tuple[str, Digest]
) -> tuple[float, str]:
    (a, x), (b, y) = one, other
    for what in ("shapes", "dtypes"):
        if x[what][i] != y[what][i]:
            return np.inf, (
                f"the {what[:-1]} of {name} is {x[what][i]} on {a} and "
                f"{y[what][i]} on {b}"
            )
    if x["masks"][i] != y["masks"][i]:
        return np.inf, (
            f"the mask of {name} is {x['masks'][i]} on {a} and "
            f"{y['masks'][i]} on {b}"
        )
    left, right = (
        np.array(z["outputs"][i], float).reshape(z["shapes"][i]) for z in (x, y)
    )
    mask = None if x["masks"][i] is None else np.array(x["masks"][i], bool)
    if mask is None or mask.shape != left.shape[: mask.ndim]:
        real = np.ones(left.shape, bool)
    else:
        spread = mask.reshape(mask.shape + (1,) * (left.ndim - mask.ndim))
        real = np.broadcast_to(spread, left.shape)
    with np.errstate(invalid="ignore"):
        off = np.abs(left - right)
    same = (left == right) | (np.isnan(left) & np.isnan(right)) | ~real
    off = np.where(same, 0.0, np.where(np.isnan(off), np.inf, off))
    finite = np.abs(left[real & np.isfinite(left)])
    share = HALF if "16" in x["dtypes"][i] else RELATIVE
    allowed = share * (finite.max() if finite.size else 0.0) + LEAST
    if not off.size or off.max() <= allowed:
        return 0.0, ""
    at = np.unravel_index(int(off.argmax()), off.shape)
    axes = ("row", "step", "feature")
    where = ", ".join(
        f"{n} {int(k)}" for n, k in zip(axes[: len(at)], at, strict=False)
    )
    return float(off[at] / allowed), (
        f"{name} at {where} is {left[at]:.6g} on {a} and {right[at]:.6g} on "
        f"{b} (allowed: {allowed:.1g})"
    )
