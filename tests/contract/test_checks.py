"""Every check has all texts, and the page of checks is up to date."""

import pytest

from keras_masking.contract import TargetError
from keras_masking.contract import get_check
from keras_masking.contract.registry import every_check
from keras_masking.names import LEVELS
from keras_masking.names import ROLES
from tools import DOCS
from tools import make_checks


@pytest.mark.parametrize("name", every_check())
def test_texts(name: str) -> None:
    check = get_check(name)
    assert check.level in LEVELS
    assert set(check.roles) <= set(ROLES)
    assert check.statement.endswith((".", ")."))
    for text in (check.statement, check.why, check.cause):
        assert len(text) > 20
        assert not text.startswith(" ")
    assert check.wrong != check.right
    names = list(every_check())
    earlier = names[: names.index(name)]
    assert set(check.after) <= set(earlier), "a check runs after those it needs"


def test_the_page_of_checks() -> None:
    written = (DOCS / "checks.md").read_text()
    assert written == make_checks.page(), "run `python -m tools.make_checks`"


def test_an_unknown_id_gets_a_suggestion() -> None:
    with pytest.raises(TargetError, match="Did you mean 'pad-value'"):
        get_check("pad-valu")
    with pytest.raises(TargetError, match="Did you mean 'metric-split'"):
        get_check("metric-splits")
