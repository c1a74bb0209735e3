"""The activity penalty of our layers counts real steps and rows alone."""

from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import layers
from keras_masking._keras import DIVIDES_PENALTIES
from tests.helpers import compiled
from tests.helpers import to_numpy

X = np.array([[[1.0], [2.0]], [[3.0], [5.0]], [[7.0], [7.0]]], "float32")
MASK = np.array([[True, True], [True, False], [False, False]])
ROWS = 2 if DIVIDES_PENALTIES else 1  # the third row is empty
TENTH = keras.regularizers.L1(0.1)


def penalty(layer: Any, *args: Any, **kwargs: Any) -> float:
    layer(*args, **kwargs)
    (loss,) = layer.losses
    return float(to_numpy(loss))


@pytest.mark.parametrize("carried", [False, True])
def test_a_layer_that_leaves_values_at_padding(carried: bool) -> None:
    """Was 2.5 / 3: (1 + 2 + 3 + 5 + 7 + 7) tenths by three rows."""
    layer = layers.MyActivation("linear", activity_regularizer=TENTH)
    wanted = 0.1 * (1 + 2 + 3) / ROWS
    if carried:
        found = penalty(layer, layers.AttachMask()(X, mask=MASK))
    else:
        found = penalty(layer, X, mask=MASK)
    assert found == pytest.approx(wanted)
    # Its config and what it is called with are as before.
    assert layer.get_config()["activity_regularizer"] is not None
    assert penalty(layer, X) == pytest.approx(
        2.5 / (3 if DIVIDES_PENALTIES else 1)
    )


def test_embeddings() -> None:
    layer = layers.CustomEmbedding(
        3,
        1,
        mask_zero=True,
        embeddings_initializer="ones",
        activity_regularizer=TENTH,
    )
    ids = np.array([[1, 2], [1, 0], [0, 0]])
    assert penalty(layer, ids) == pytest.approx(0.3 / ROWS)


def test_rows_without_a_step_do_not_dilute() -> None:
    layer = layers.MaskedConv1D(
        1,
        1,
        kernel_initializer="ones",
        activity_regularizer=TENTH,
    )
    assert penalty(layer, X, mask=MASK) == pytest.approx(0.6 / ROWS)
    pool = layers.MaskedGlobalSumPooling1D(activity_regularizer=TENTH)
    assert penalty(pool, X, mask=MASK) == pytest.approx(0.6 / ROWS)


def test_each_of_several_outputs() -> None:
    layer = layers.TemporalSplit(2, activity_regularizer=TENTH)
    layer(X, mask=MASK)
    first, second = [float(to_numpy(loss)) for loss in layer.losses]
    one = 1 if DIVIDES_PENALTIES else ROWS
    assert first == pytest.approx(0.4 / ROWS)
    assert second == pytest.approx(0.2 / one)  # one row has a second step


def test_attention_and_merging() -> None:
    add = layers.MaskedAdd(activity_regularizer=TENTH)
    assert penalty(add, [X, X], mask=[MASK, None]) == pytest.approx(
        0.1 * (6 + 1 + 2 + 3) / ROWS
    )
    attention = layers.MaskedAttention(activity_regularizer=TENTH)
    attention([X, X], mask=[MASK, MASK])
    y, (loss,) = attention([X, X], mask=[MASK, MASK]), attention.losses
    total = sum(abs(v) for v in to_numpy(y)[MASK].ravel().tolist())
    assert float(to_numpy(loss)) == pytest.approx(total / 10 / ROWS, rel=1e-5)


def test_inside_a_wrapper_and_compiled() -> None:
    inside = layers.MyActivation("linear", activity_regularizer=TENTH)
    wrapper = layers.KeepMask(inside)
    assert penalty(wrapper, X, mask=MASK) == pytest.approx(0.6 / ROWS)

    layer = layers.MyActivation("linear", activity_regularizer=TENTH)

    def run(x: Any, mask: Any) -> Any:
        layer(x, mask=mask)
        return layer.losses[0]

    assert float(to_numpy(compiled(run)(X, MASK))) == pytest.approx(0.6 / ROWS)
