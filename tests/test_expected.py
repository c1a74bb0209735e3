"""The stored numbers of the oracle, which every backend has to meet."""

import json

import numpy as np
import pytest

from tests.cases import CASES
from tests.cases import Case
from tests.cases import X
from tests.helpers import MASKS
from tests.helpers import assert_close
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import to_numpy
from tests.make_expected import KINDS
from tests.make_expected import PATH
from tests.make_expected import expected

STORED = json.loads(PATH.read_text())


def test_the_stored_numbers_are_those_of_the_oracle() -> None:
    anew = expected()
    assert anew.keys() == STORED.keys()
    for name, want in anew.items():
        assert want["mask"] == STORED[name]["mask"]
        np.testing.assert_allclose(
            STORED[name]["outputs"], want["outputs"], rtol=0, atol=2e-9
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_this_backend_gives_the_stored_numbers(case: Case, kind: str) -> None:
    stored, mask = STORED[f"{case.name} {kind}"], MASKS[kind]
    x = poisoned(X, mask, np.nan)
    y = case.outputs(case.make()(x, mask=mask))
    values = to_numpy(y)
    if stored["mask"] is None:
        assert mask_of(y) is None
    else:
        real = np.array(stored["mask"], bool)
        np.testing.assert_array_equal(mask_of(y), real)
        values = np.where(real[..., None], values, 0)
    assert_close(values, stored["outputs"])
