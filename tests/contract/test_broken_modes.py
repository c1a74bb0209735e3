"""Each check of traced, trained and half-precise layers catches its own."""

from collections import Counter

import keras
import pytest

from keras_masking.contract import all_checks
from tests.contract.broken import Broken
from tests.contract.broken import assert_caught
from tests.contract.broken import here
from tests.contract.broken.modes import BROKEN

pytestmark = pytest.mark.kit

MODULES = ("modes", "gradients", "precision", "training")
IDS = [
    check.id
    for check in all_checks().values()
    if check.run.__module__.rpartition(".")[2] in MODULES
]


@pytest.mark.parametrize("broken", here(BROKEN), ids=str)
def test_broken_layer(broken: Broken) -> None:
    # JAX compiles each operation: there these checks are enough.
    on_jax = keras.backend.backend() == "jax"
    assert_caught(broken, only=IDS if on_jax else None)


def test_two_layers_for_each_check() -> None:
    count = Counter(broken.catches for broken in here(BROKEN))
    expected = set(IDS)
    if keras.backend.backend() == "torch":
        expected.remove("jit")  # runs only when asked
    assert set(count) == expected
    assert min(count.values()) >= 2
