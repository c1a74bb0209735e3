"""No rows or no steps: the output is computed, and nothing fails."""

import numpy as np
import pytest

from tests.cases import FEATURES
from tests.cases import ONE_OF_EACH
from tests.cases import Case
from tests.helpers import mask_of
from tests.helpers import to_numpy


@pytest.mark.parametrize("case", ONE_OF_EACH, ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_no_rows(case: Case, masked: bool) -> None:
    x, layer = np.zeros((0, 7, FEATURES), "float32"), case.make()
    wanted = case.outputs(layer(np.zeros((3, 7, FEATURES), "float32")))
    mask = np.ones((0, 7), bool) if masked else None
    y = case.outputs(layer(x, mask=mask))
    assert to_numpy(y).shape == (0, *wanted.shape[1:])
    if masked and not case.pools:
        assert mask_of(y).shape == to_numpy(y).shape[:2]


@pytest.mark.parametrize(
    "case", [c for c in ONE_OF_EACH if c.of_none is not None], ids=str
)
@pytest.mark.parametrize("masked", [False, True])
def test_no_steps(case: Case, masked: bool) -> None:
    x, layer = np.zeros((2, 0, FEATURES), "float32"), case.make()
    mask = np.ones((2, 0), bool) if masked else None
    y = case.outputs(layer(x, mask=mask))
    values = to_numpy(y)
    if case.pools:
        # The output of an empty row, with padding or without any steps.
        empty = layer(np.ones((2, 7, FEATURES)), mask=np.zeros((2, 7), bool))
        np.testing.assert_array_equal(values, to_numpy(empty))
        return
    # Steps that the layer adds to any sequence, padding here.
    assert values.shape == (2, case.of_none, case.width)
    assert np.all(values == 0)
    if masked:
        assert mask_of(y).shape == (2, case.of_none)
        assert not mask_of(y).any()
