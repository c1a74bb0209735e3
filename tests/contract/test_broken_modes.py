"""Each check of traced, trained and half-precise layers catches its own."""

from collections import Counter

import keras
import pytest

from tests.contract.broken import Broken
from tests.contract.broken import assert_caught
from tests.contract.broken import here
from tests.contract.broken import ids_of
from tests.contract.broken.modes import BROKEN

pytestmark = pytest.mark.kit

IDS = ids_of(("modes", "saving", "gradients", "precision", "training"))


@pytest.mark.parametrize("broken", here(BROKEN), ids=str)
def test_broken_layer(broken: Broken) -> None:
    # JAX compiles each operation: there these checks are enough.
    on_jax = keras.backend.backend() == "jax"
    assert_caught(broken, only=IDS if on_jax else None)


def test_two_layers_for_each_check() -> None:
    count = Counter(broken.catches for broken in here(BROKEN))
    expected = set(IDS)
    if keras.backend.backend() == "torch":
        expected.remove("jit")  # runs only on request
    assert set(count) == expected
    assert min(count.values()) >= 2
