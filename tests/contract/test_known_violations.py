"""The kit finds the known errors of Keras 3.15.1."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

from keras_masking.contract import Case
from keras_masking.contract import Result
from keras_masking.contract import check_layer

pytestmark = pytest.mark.kit


def _x(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


X, Y = _x(3, 6, 4), _x(3, 6, 4, seed=1)
STATE = [_x(3, 5, seed=2), _x(3, 5, seed=3)]

# A line that makes the layer, the ids that must fail at least, and how the
# layer is called.
VIOLATIONS = [
    ("Softmax()", ["runs-with-mask"], {}),
    ("Softmax(axis=1)", ["runs-with-mask"], {}),
    ("GlobalAveragePooling1D()", ["empty-row", "precision"], {}),
    ("GroupNormalization(groups=2)", ["pad-value"], {}),
    ("GroupNormalization(groups=-1)", ["pad-value"], {}),
    ("UnitNormalization(axis=1)", ["pad-value"], {}),
    ("LayerNormalization(axis=[1, 2])", ["pad-value"], {}),
    ('Conv1D(5, 3, padding="same")', ["mask-kept", "pad-value"], {}),
    ("Conv1D(5, 3)", ["mask-kept"], {}),
    (
        'Conv1D(5, 3, padding="causal")',
        ["mask-kept", "mask-position", "grad-zero-at-padding"],
        {},
    ),
    ('DepthwiseConv1D(3, padding="same")', ["mask-kept", "pad-value"], {}),
    ('SeparableConv1D(5, 3, padding="same")', ["mask-kept", "pad-value"], {}),
    ("MaxPooling1D(2)", ["mask-kept", "no-destroy-warning"], {}),
    ('AveragePooling1D(3, 1, padding="same")', ["mask-kept", "pad-value"], {}),
    ("GlobalMaxPooling1D()", ["pad-value"], {}),
    (
        "MultiHeadAttention(2, 3)",
        ["input-not-mutated", "nan-padding"],
        {"inputs": (X, Y)},
    ),
    (
        "LSTM(5, return_sequences=True)",
        ["mask-arg-reachable", "mask-position"],
        {"call_kwargs": {"initial_state": STATE}},
    ),
    ("Add()", ["partial-masks", "different-masks"], {"inputs": [X, Y]}),
    ("Concatenate()", ["partial-masks", "different-masks"], {"inputs": [X, Y]}),
    (
        "TimeDistributed(layers.LSTM(5))",
        ["runs-with-mask"],
        {"inputs": _x(3, 4, 5, 2)},
    ),
    ("RMSNormalization()", ["mask-kept"], {}),
    ("Dot(axes=1)", ["pad-value"], {"inputs": [X, Y]}),
]


def _case(line: str, how: dict) -> Case:
    return Case(
        lambda: eval(f"layers.{line}", {"layers": layers}),
        script=f"from keras import layers\nlambda: layers.{line}",
        name=line,
        **how,
    )


@pytest.mark.parametrize(
    ("line", "ids", "how"), VIOLATIONS, ids=[line for line, _, _ in VIOLATIONS]
)
def test_violation_is_found(line: str, ids: list[str], how: dict) -> None:
    report = check_layer(_case(line, how), only=ids)
    status = {result.check: result.status for result in report}
    assert {name: status[name] for name in ids} == dict.fromkeys(ids, "fail")
    assert "kit-error" not in status.values(), str(report)
    for result in report.failures:
        _has_five_parts(result)


def _has_five_parts(result: Result) -> None:
    text = str(result)
    for part in ("1 rule", "2 seen", "3 where", "4 likely", "5 repro"):
        assert f"\n  {part}" in text
    assert result.statement and result.seen and result.smallest
    assert result.cause and result.right
    compile(result.script, "script", "exec")


def test_script_shows_the_violation_again() -> None:
    line = "GroupNormalization(groups=2)"
    report = check_layer(_case(line, {}), only=["pad-value"])
    (failure,) = report.failures
    run = subprocess.run(
        [sys.executable, "-c", failure.script],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env={
            **os.environ,
            "KERAS_BACKEND": keras.backend.backend(),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    assert "FAIL pad-value" in run.stdout
