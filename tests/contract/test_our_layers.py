"""Each of our layers passes the whole contract."""

import pytest

from keras_masking import layers
from keras_masking.cases import MASK_CASES
from keras_masking.cases import PACKED_CASES
from keras_masking.contract import Case
from keras_masking.contract import check_layer
from keras_masking.contract import parametrize_with_checks


@pytest.mark.kit
@pytest.mark.parametrize("case", MASK_CASES, ids=str)
def test_keeps_the_contract(case: Case) -> None:
    report = check_layer(case, level="information")
    assert report.role == case.role
    report.raise_for_failures()
    never = [r.check for r in report if r.status in ("blocked", "fail")]
    assert not never
    assert report.ran >= 20


@pytest.mark.kit
@pytest.mark.parametrize("case", PACKED_CASES, ids=str)
def test_takes_packed_rows(case: Case) -> None:
    only = ["packed", "segments", "packed-gradients"]
    report = check_layer(case, only=only)
    report.raise_for_failures()
    status = {result.check: result.status for result in report}
    pooled = case.role == "transforms"
    assert status["segments" if pooled else "packed"] == "pass"
    assert status["packed-gradients"] == "pass"


def test_every_layer_is_a_case() -> None:
    made = {type(case.make()).__name__ for case in MASK_CASES}
    assert made == set(layers.__all__)


@parametrize_with_checks([layers.MyActivation, layers.FirstStep])
def test_one_test_for_each_check(check: object) -> None:
    check()
