"""Each check of traced, trained and half-precise layers catches its own."""

import pytest

from tests.contract.broken import Broken
from tests.contract.broken import assert_caught
from tests.contract.broken import here
from tests.contract.broken.modes import BROKEN


@pytest.mark.parametrize("broken", here(BROKEN), ids=str)
def test_broken_layer(broken: Broken) -> None:
    assert_caught(broken)
