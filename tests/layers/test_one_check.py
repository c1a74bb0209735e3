"""A mask is read, checked and cast once per call, however it is passed."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking.ops import reading
from tests.cases import CASES
from tests.cases import Case
from tests.cases import X
from tests.helpers import MASKS

MASK = MASKS["right"]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The checked masks, in order."""
    seen: list[Any] = []
    check = reading._as_booleans

    def counted(*args: Any) -> Any:
        seen.append(args[-1])
        return check(*args)

    monkeypatch.setattr(reading, "_as_booleans", counted)
    return seen


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_explicit_mask_and_one_carried(
    case: Case, checked: list[Any]
) -> None:
    layer = case.make()
    layer(X, mask=MASK)
    assert len(checked) == 1
    x = layers.AttachMask()(X, mask=MASK)
    checked.clear()
    layer(x)
    assert len(checked) == 1


@pytest.mark.parametrize(
    "make",
    [
        layers.MaskedAdd,
        layers.MaskedMultiply,
        layers.MaskedConcatenate,
        layers.TemporalConcatenate,
        layers.MaskedAttention,
        layers.MaskedAdditiveAttention,
    ],
)
def test_one_mask_of_each_input(make: Any, checked: list[Any]) -> None:
    layer = make()
    layer([X, X], mask=[MASK, MASK])
    assert len(checked) == 2
    x, y = [layers.AttachMask()(X, mask=MASK) for _ in range(2)]
    checked.clear()
    layer([x, y])
    assert len(checked) == 2


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaskedMultiHeadAttention(2, 3),
        layers.MaskedGroupQueryAttention(3, 2, 1),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_one_of_each_argument(layer: Any, checked: list[Any]) -> None:
    square = np.ones((len(X), X.shape[1], X.shape[1]), bool)
    layer(X, X, query_mask=MASK, value_mask=MASK, attention_mask=square)
    assert len(checked) == 3
    x, y = [layers.AttachMask()(X, mask=MASK) for _ in range(2)]
    checked.clear()
    layer(x, y)
    assert len(checked) == 2


def test_a_layer_called_by_another_checks_by_itself(checked: list[Any]) -> None:
    pool = keras.layers.TimeDistributed(layers.MaskedGlobalAveragePooling1D())
    pool.build((2, 3, 7, 4))
    checked.clear()
    pool.layer.call(keras.ops.convert_to_tensor(X), mask=MASK)
    assert len(checked) == 1
