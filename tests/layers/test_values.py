"""Every layer against its oracle, with any values at padding."""

import numpy as np
import pytest

from keras_masking import layers
from tests.cases import BY_LENGTH
from tests.cases import CASES
from tests.cases import Case
from tests.cases import X
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import POISON
from tests.helpers import assert_close
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import spread
from tests.helpers import to_numpy

# The length of the row that is alone on JAX: for every second case one step.
LONE = {case.name: 1 for case in BY_LENGTH[::2] if case.shortest == 1}


def check(case: Case, x: np.ndarray, mask: np.ndarray, y: object) -> None:
    """Real outputs, the output mask, and zeros at padding steps."""
    expected, real = case.expected(x, mask)
    y = case.outputs(y)
    if case.pools:
        assert mask_of(y) is None
        assert_close(y, expected)
        return
    np.testing.assert_array_equal(mask_of(y), real)
    values = to_numpy(y)
    if not case.zeroes:
        values = np.where(real[..., None], values, 0)
    assert_close(values, expected)
    assert np.all(values[~real] == 0)


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_the_oracle(case: Case, kind: str) -> None:
    mask = MASKS[kind]
    check(case, X, mask, case.make()(X, mask=mask))


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_padding_values_change_nothing(case: Case, poison: str) -> None:
    layer = case.make()
    for kind in ("right", "left", "holes", "empty"):
        mask = MASKS[kind]
        x = poisoned(X, mask, POISON[poison])
        check(case, X, mask, layer(x, mask=mask))


@pytest.mark.parametrize(("case", "extra"), spread(BY_LENGTH, [3, 40]), ids=str)
def test_more_padding_changes_nothing(case: Case, extra: int) -> None:
    layer, mask = case.make(), MASKS["right"]
    padding = ((0, 0), (0, extra))
    more = np.pad(X, (*padding, (0, 0)), constant_values=5.0)
    y = to_numpy(case.outputs(layer(X, mask=mask)))
    z = case.outputs(layer(more, mask=np.pad(mask, padding)))
    if case.pools:
        assert_close(z, y)
        return
    steps = y.shape[1]
    real = mask_of(z)
    assert not real[:, steps:].any()
    values = to_numpy(z)
    if not case.zeroes:
        y = np.where(real[:, :steps, None], y, 0)
        values = np.where(real[..., None], values, 0)
    assert_close(values[:, :steps], y)
    assert np.all(values[:, steps:] == 0)


@pytest.mark.parametrize("case", BY_LENGTH, ids=str)
def test_alone_equals_batched(case: Case) -> None:
    layer, mask = case.make(), MASKS["right"]
    y = case.outputs(layer(X, mask=mask))
    batched, real = to_numpy(y), mask_of(y)
    for row, length in enumerate(mask.sum(axis=1)):
        if length < case.shortest:
            continue  # no window fits: no output step
        if BACKEND == "jax" and length != LONE.get(case.name, 5):
            continue  # each length is compiled anew
        lone = X[row : row + 1, :length]
        if case.pools:
            assert_close(batched[row], to_numpy(layer(lone))[0])
            continue
        alone = case.outputs(layer(lone, mask=np.ones((1, length), bool)))
        here = mask_of(alone)[0]
        assert_close(batched[row][real[row]], to_numpy(alone)[0][here])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_mask_is_an_all_true_mask(case: Case) -> None:
    layer = case.make()
    plain = case.outputs(layer(X))
    masked = case.outputs(layer(X, mask=np.ones((3, 7), bool)))
    if case.reorders:
        assert_close(plain, to_numpy(masked))
    else:
        np.testing.assert_array_equal(to_numpy(plain), to_numpy(masked))
    assert mask_of(plain) is None


@pytest.mark.parametrize("kind", ["right", "left", "holes", "empty"])
@pytest.mark.parametrize("name", ["average", "max", "min", "sum", "first"])
def test_keepdims_emits_which_rows_have_a_step(name: str, kind: str) -> None:
    layer = {
        "average": layers.MaskedGlobalAveragePooling1D,
        "max": layers.MaskedGlobalMaxPooling1D,
        "min": layers.MaskedGlobalMinPooling1D,
        "sum": layers.MaskedGlobalSumPooling1D,
        "first": layers.FirstStep,
    }[name]
    mask = MASKS[kind]
    y = layer(keepdims=True)(X, mask=mask)
    flat = layer()(X, mask=mask)
    np.testing.assert_array_equal(to_numpy(y)[:, 0], to_numpy(flat))
    expected = [[any(row)] for row in mask.tolist()]
    np.testing.assert_array_equal(mask_of(y), expected)
    assert mask_of(layer(keepdims=True)(X)) is None
