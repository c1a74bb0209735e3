"""Reports of models whose faults are known."""

import warnings
from typing import Any

import keras
import numpy as np
import pytest

import keras_masking
from keras_masking.inspector import MaskReport
from tests.inspector import imitations  # noqa: F401, which joins the gallery
from tests.inspector.gallery import CASES
from tests.inspector.gallery import Case
from tests.inspector.gallery import build

# The same models on each backend: elsewhere they run with the kit.
if keras.backend.backend() != "torch":
    pytestmark = pytest.mark.long
ALL = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def inspected(model: Any, inputs: Any, **options: Any) -> MaskReport:
    return keras_masking.inspect_masks(model, inputs, **options)


def found(report: MaskReport) -> list[tuple[str, str]]:
    return [(call.name, call.verdict) for call in report.findings]


@ALL
def test_findings(case: Case) -> None:
    report = inspected(build(case.make), case.inputs())
    assert found(report) == case.findings
    assert report.state == case.state, report.missing
    assert report.ok == (case.state == "clean")
    assert bool(report.missing) <= (case.state != "clean")
    assert all(call.reason and call.advice for call in report.findings)
    # Nothing after the first fault is blamed.
    for call in report.calls:
        if call.victim_of is not None:
            assert not call.finding
            assert call.victim_of < call.index
            assert report.calls[call.victim_of].finding or report.ok
    for drift in report.drift if report.ok else []:
        if drift.counts and drift.relative is not None:
            assert drift.relative < case.rounding, drift


@pytest.mark.long
@ALL
def test_no_verdict_looks_at_a_name(case: Case) -> None:
    model = build(case.make)
    for number, layer in enumerate([model, *model._flatten_layers()]):
        layer.__class__ = type(f"Renamed{number}", (type(layer),), {})
    assert found(inspected(model, case.inputs())) == case.findings


def oracle(model: Any, ids: np.ndarray) -> float:
    """The drift of a pooled output, from the model's own predictions."""
    more = np.pad(ids, [(0, 0), (0, 12)])
    return float(np.abs(_predict(model, ids) - _predict(model, more)).max())


def _predict(model: Any, ids: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*destroy the mask")
        return keras.ops.convert_to_numpy(
            model(keras.ops.convert_to_tensor(ids))
        )


@pytest.mark.parametrize(
    "name",
    [
        "transformer",
        "our_transformer",
        "operator",
        "convolution",
        "einsum_dense",
    ],
)
def test_the_drift_is_what_more_padding_does(name: str) -> None:
    (case,) = [case for case in CASES if case.name == name]
    model = build(case.make)
    right = inspected(model, case.inputs()).drift[0]
    assert "right" in right.change
    assert right.moved == pytest.approx(oracle(model, case.inputs()), abs=1e-6)


def test_false_warnings() -> None:
    """Keras warns of a layer that is right, and of one that is wrong."""
    names = {}
    for case in CASES:
        if case.name in ("group_query_attention", "nested", "convolution"):
            report = inspected(build(case.make), case.inputs())
            names[case.name] = [call.name for call in report.false_warnings]
            warned = [call.name for call in report.calls if call.warned]
            assert warned, case.name
    assert "inner" in names["nested"]
    assert names["group_query_attention"]
    assert not names["convolution"]
