"""The strategies generate what they document."""

import numpy as np
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from keras_masking import layers
from keras_masking.contract import strategies
from tests.helpers import assert_close
from tests.helpers import to_numpy

quick = settings(max_examples=40, deadline=None, derandomize=True)


@quick
@given(
    data=st.data(),
    kind=st.sampled_from(["right", "left", "holes"]),
    empty_rows=st.booleans(),
)
def test_masks(data: st.DataObject, kind: str, empty_rows: bool) -> None:
    mask = data.draw(strategies.masks(4, 5, (kind,), empty_rows))
    assert mask.shape == (4, 5)
    assert mask.dtype == bool
    assert empty_rows or mask.any(axis=1).all()
    if kind != "holes":
        # No real step after padding; seen from the other side on the left.
        ordered = mask if kind == "right" else mask[:, ::-1]
        assert not (ordered[:, 1:] & ~ordered[:, :-1]).any()


@quick
@given(pair=strategies.padded_pairs(rows=2, features=3))
def test_pairs_hold_the_same_rows(pair: tuple) -> None:
    (x, mask), (y, other) = pair
    for row in range(2):
        np.testing.assert_array_equal(x[row][mask[row]], y[row][other[row]])


@quick
@given(pair=strategies.padded_pairs(rows=2, features=3))
def test_a_layer_that_keeps_the_contract(pair: tuple) -> None:
    pool = layers.MaskedGlobalAveragePooling1D()
    (x, mask), (y, other) = pair
    first = to_numpy(pool(x, mask=mask))
    assert_close(pool(y, mask=other), first, scale=100.0)
