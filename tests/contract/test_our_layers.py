"""Each of our layers passes the whole contract."""

import pytest

from keras_masking import layers
from keras_masking.cases import MASK_CASES
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


def test_every_layer_is_a_case() -> None:
    made = {type(case.make()).__name__ for case in MASK_CASES}
    assert made == set(layers.__all__)


@parametrize_with_checks([layers.MyActivation, layers.FirstStep])
def test_one_test_for_each_check(check: object) -> None:
    check()
