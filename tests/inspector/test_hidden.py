"""Calls that hide real steps of another sequence."""

from typing import Any

import keras
import numpy as np
import pytest

import keras_masking
from tests.inspector import gallery


def predictions(model: Any, source: np.ndarray) -> np.ndarray:
    inputs = [keras.ops.convert_to_tensor(x) for x in (source, gallery.TARGETS)]
    return keras.ops.convert_to_numpy(model(inputs))


@pytest.mark.parametrize(
    ("make", "hides"),
    [
        (gallery.mask_of_the_target_for_the_source, True),
        (gallery.mask_of_the_source_for_the_source, False),
    ],
)
def test_it_says_what_other_ids_do(make: Any, hides: bool) -> None:
    """Each real step of the source gets another id, one at a time."""
    model = gallery.build(make)
    plain = predictions(model, gallery.IDS)
    unseen = []
    for row, step in np.argwhere(gallery.IDS > 0):
        source = gallery.IDS.copy()
        source[row, step] = 9 - source[row, step] or 1
        if np.array_equal(predictions(model, source)[row], plain[row]):
            unseen.append((int(row), int(step)))
    longer = (gallery.IDS > 0) & (gallery.TARGETS == 0)
    expected = [(int(r), int(s)) for r, s in np.argwhere(longer)]
    assert unseen == (expected if hides else [])
    report = keras_masking.inspect_masks(model, gallery.source_and_target())
    assert len(report.findings) == hides
    for call in report.findings:
        row, step = expected[0]
        assert f"such as step {step} of row {row}, move none" in call.reason
        assert "the mask of its input 0 for them" in call.reason
        assert "attention_mask=source_mask" in call.advice
