"""No check fails on a layer that keeps the contract: no false alarm."""

import keras
import pytest

from keras_masking.contract import Case
from keras_masking.contract import check_layer
from tests.contract.broken import EAGER
from tests.contract.broken import ids_of
from tests.contract.sound_layers import KERAS
from tests.contract.sound_layers import SLOW
from tests.contract.sound_layers import STATEFUL
from tests.contract.sound_layers import STRANGE

pytestmark = pytest.mark.kit

BACKEND = keras.backend.backend()
IDS = ids_of(EAGER, least="advised")


@pytest.mark.parametrize("case", [*KERAS, *STRANGE], ids=str)
def test_sound_layer(case: Case) -> None:
    report = check_layer(case)
    assert report.ok, str(report)
    assert report.ran >= 20


@pytest.mark.parametrize(
    "case", SLOW[:1] if BACKEND == "jax" else SLOW, ids=str
)
def test_slow_layer(case: Case) -> None:
    report = check_layer(case, only=None if BACKEND == "torch" else IDS)
    assert report.ok, str(report)
    assert report.ran >= 15


@pytest.mark.skipif(BACKEND == "jax", reason="compiles for a minute")
def test_rounding_without_padding_is_no_failure() -> None:
    # On TensorFlow in bfloat16, of 240 steps alone as much as of a padded row.
    report = check_layer(SLOW[3], only=["precision"])
    assert report.ok, str(report)
    assert [r.status for r in report if r.check == "precision"] == ["pass"]


def test_states_are_put_back() -> None:
    report = check_layer(STATEFUL, only=None if BACKEND == "torch" else IDS)
    assert report.ok, str(report)
    assert report.ran >= 15
