"""The checks of packed rows catch layers that mix the sequences of a row."""

from collections import Counter

import keras
import pytest

from tests.contract.broken import Broken
from tests.contract.broken import assert_caught
from tests.contract.broken import ids_of
from tests.contract.broken.packed import BROKEN

pytestmark = pytest.mark.kit

IDS = ids_of(("packed",))


@pytest.mark.parametrize("broken", BROKEN, ids=str)
def test_broken_layer(broken: Broken) -> None:
    # JAX compiles each operation: there these checks are enough.
    on_torch = keras.backend.backend() == "torch"
    assert_caught(broken, only=None if on_torch else IDS)


def test_two_layers_for_each_check() -> None:
    count = Counter(broken.catches for broken in BROKEN)
    assert set(count) == set(IDS)
    assert min(count.values()) >= 2
