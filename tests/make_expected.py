"""Writes `expected.json`: what the oracle gives, for every backend to match.

    KERAS_BACKEND=jax python -m tests.make_expected

The numbers come from loops in float64, never from a backend. A test makes them
anew and compares, so the file cannot go stale.
"""

import json
from pathlib import Path
from typing import Any

from tests.cases import CASES
from tests.cases import X
from tests.helpers import MASKS

PATH = Path(__file__).with_name("expected.json")
KINDS = ("right", "left", "holes", "empty")


def expected() -> dict[str, Any]:
    """Outputs and output masks of every case, under every kind of mask."""
    result: dict[str, Any] = {}
    for case in CASES:
        for kind in KINDS:
            outputs, real = case.expected(X, MASKS[kind])
            result[f"{case.name} {kind}"] = {
                "outputs": outputs.round(9).tolist(),
                "mask": None if real is None else real.astype(int).tolist(),
            }
    return result


if __name__ == "__main__":
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expected().items()]
    PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n")
