"""Each check catches the layers that were broken for it."""

import os
import subprocess
import sys
from collections import Counter

import keras
import pytest

from keras_masking.contract import check_layer
from tests.contract.broken import EAGER
from tests.contract.broken import Broken
from tests.contract.broken import assert_caught
from tests.contract.broken import here
from tests.contract.broken import ids_of
from tests.contract.broken.values import BROKEN

pytestmark = pytest.mark.kit

IDS = ids_of(EAGER)
SCRIPTS = (
    "pad-value-Averages",
    "mask-structure-StateFirst",
    "mask-truth-PaddingMask",
    "partial-masks-AllOrNone",
    "mask-arg-reachable-Plural",
)


@pytest.mark.parametrize("broken", here(BROKEN), ids=str)
def test_broken_layer(broken: Broken) -> None:
    # torch compiles nothing: there it is judged by the other checks as well.
    everything = keras.backend.backend() == "torch"
    assert_caught(broken, only=None if everything else IDS)


def test_two_layers_for_each_check() -> None:
    count = Counter(broken.catches for broken in here(BROKEN))
    assert set(count) == set(IDS)
    assert min(count.values()) >= 2


def test_scripts_show_the_failures_again() -> None:
    chosen = [broken for broken in BROKEN if str(broken) in SCRIPTS]
    assert len(chosen) == len(SCRIPTS)
    scripts = []
    for broken in chosen:
        report = check_layer(broken.case, only=[broken.catches])
        scripts += [r.script for r in report.failures]
    run = subprocess.run(
        [sys.executable, "-c", "\n".join(scripts)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        timeout=300,
    )
    for broken in chosen:
        assert f"FAIL {broken.catches}  {broken.case.name}" in run.stdout
