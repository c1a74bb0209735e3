"""Each check catches the layers that were broken for it, and only it does."""

import os
import subprocess
import sys
from collections import Counter

import keras
import pytest

from tests.contract.broken import Broken
from tests.contract.broken import assert_caught
from tests.contract.broken import here
from tests.contract.broken.values import BROKEN


@pytest.mark.parametrize("broken", here(BROKEN), ids=str)
def test_broken_layer(broken: Broken) -> None:
    assert_caught(broken)
