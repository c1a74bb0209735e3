"""Reports of Keras' examples, as in docs/inspector.md."""

import re
from pathlib import Path
from typing import Any

import keras
import pytest

import keras_masking
from tests.inspector import keras_examples as examples
from tests.inspector.gallery import VERSION
from tests.inspector.gallery import build

PAGE = Path(__file__).parents[2] / "docs" / "inspector.md"
NEW = VERSION >= (3, 16)
FOUND = {
    examples.text_transformer: [("embedding", "drops")],
    examples.text_convolutions: [("conv1", "drops")],
    examples.seq2seq: [("decoder", "drops")] if NEW else [],
    examples.series_transformer: [("attention1", "deletes")],
}
MADE = pytest.mark.parametrize("make", FOUND, ids=lambda make: make.__name__)


def inspected(model: keras.Model, make: Any) -> Any:
    return keras_masking.inspect_masks(model, examples.EXAMPLES[make]())


@MADE
def test_as_published_no_mask_is_made(make: Any) -> None:
    report = inspected(build(lambda: make(False)), make)
    assert report.state == "not measured"
    assert any("No mask was made" in note for note in report.notes)


@MADE
def test_with_a_mask(make: Any) -> None:
    keras.utils.set_random_seed(0)
    report = inspected(build(lambda: make(True)), make)
    found = [(call.name, call.verdict) for call in report.findings]
    assert found == FOUND[make]
    right, left = report.drift[:2]
    if make is examples.seq2seq:
        assert right.moved < 1e-6
        assert left.moved > 1e-3
    else:
        assert right.moved > 1e-3


@MADE
def test_mended(make: Any) -> None:
    if make is examples.text_transformer:
        ours = build(examples.mended_text_transformer)
    else:
        ours, _ = keras_masking.convert(build(lambda: make(True)))
    report = inspected(ours, make)
    assert report.ok, report.findings
    assert all(drift.moved < 1e-6 for drift in report.drift[:2])


def test_the_page_says_so() -> None:
    rows = re.findall(r"^\| (?:Text|Char|Time).*$", PAGE.read_text(), re.M)
    assert len(rows) == len(FOUND)
    for row, (make, found) in zip(rows, FOUND.items()):
        finding = row.split("|")[2]
        assert make.__doc__.split(" (")[0].split()[0] in row
        for name, verdict in found:
            assert f"`{name}` {verdict}" in finding
        if not found:
            assert finding.strip().startswith("none")
