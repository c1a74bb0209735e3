"""Each check of losses and metrics catches those that were broken for it."""

from collections import Counter

import keras
import pytest

from keras_masking.contract import LossCase
from keras_masking.contract import MetricCase
from keras_masking.contract import all_checks
from tests.contract.broken import Broken
from tests.contract.broken import assert_caught
from tests.contract.broken import here
from tests.contract.broken import judge
from tests.contract.broken import losses
from tests.contract.broken import metrics

pytestmark = pytest.mark.kit


@pytest.mark.parametrize(
    "broken", here([*losses.BROKEN, *metrics.BROKEN]), ids=str
)
def test_broken_score(broken: Broken) -> None:
    # Other backends compile: there its own check is enough.
    on_torch = keras.backend.backend() == "torch"
    assert_caught(broken, only=None if on_torch else [broken.catches])


@pytest.mark.parametrize("kind", ["loss", "metric"])
def test_two_for_each_check(kind: str) -> None:
    module = {"loss": losses, "metric": metrics}[kind]
    count = Counter(broken.catches for broken in here(module.BROKEN))
    assert set(count) == set(all_checks(kind))
    assert min(count.values()) >= 2


@pytest.mark.parametrize(
    "case", [LossCase(losses.Sound), MetricCase(metrics.Sound)], ids=str
)
def test_what_they_break_is_sound(case: LossCase | MetricCase) -> None:
    report = judge(case)
    count = len(all_checks(case.kind))
    assert [r.status for r in report] == ["pass"] * count, str(report)
