"""`fill_rows`: empty rows that change nothing."""

import keras
import numpy as np
import pytest

from keras_masking.batching import fill_rows
from keras_masking.losses import MaskedLoss
from tests.batching.samples import IDS
from tests.batching.samples import LENGTHS
from tests.batching.samples import REAL
from tests.batching.samples import TARGETS
from tests.batching.samples import Batches
from tests.batching.samples import cut
from tests.batching.samples import source
from tests.batching.test_split import tagger
from tests.helpers import assert_close


@pytest.mark.once
@pytest.mark.parametrize("multiple", [1, 2, 4, 5])
def test_rows_become_a_multiple(multiple: int) -> None:
    seen = [*fill_rows(cut(2, 1, 4), multiple)]
    assert len(seen) == 3
    for (x0, y0), (x, y, weights) in zip(cut(2, 1, 4), seen):
        rows = len(x0)
        assert len(x) == len(y) == len(weights)
        assert len(x) % multiple == 0
        assert len(x) - rows < multiple
        assert x[:rows].tolist() == x0.tolist()
        assert y[:rows].tolist() == y0.tolist()
        assert (x.dtype, y.dtype) == (x0.dtype, y0.dtype)
        assert weights.dtype == np.float32
        assert weights[:rows].tolist() == np.ones((rows, 4)).tolist()
        for added in (x, y, weights):
            assert not added[rows:].any()


@pytest.mark.once
def test_what_empty_rows_hold() -> None:
    x = {
        "ids": IDS,
        "features": TARGETS + 1,
        "lengths": LENGTHS,
        "mask": REAL,
    }
    for mask, lengths in (("ids", -1), ("mask", -1), ("lengths", 0)):
        (seen,) = fill_rows([x], 8, mask=mask, pad_value=-1)
        assert seen["ids"][7].tolist() == [-1] * 4
        assert not seen["features"][7].any()
        assert seen["lengths"][7] == lengths
        assert not seen["mask"][7].any()
        for name, whole in x.items():
            assert seen[name][:7].tolist() == whole.tolist()
    features = np.where(REAL[..., None], TARGETS, -1)
    (seen,) = fill_rows([features], 8, pad_value=-1)
    assert seen[7].tolist() == np.full((4, 2), -1).tolist()


@pytest.mark.once
def test_weights_that_are_there() -> None:
    given = LENGTHS + 0.5
    (seen,) = fill_rows([(IDS, TARGETS, given)], 8)
    assert seen[2].tolist() == [*[[w] * 4 for w in given], [0.0] * 4]
    (seen,) = fill_rows([(IDS, TARGETS[:, 0], given)], 8, mask=None)
    assert seen[2].tolist() == [*given, 0.0]


@pytest.mark.parametrize("kind", ["list", "PyDataset", "generator", "library"])
def test_sources(kind: str) -> None:
    wanted = [[a.tolist() for a in batch] for batch in fill_rows(cut(3, 3), 4)]
    seen = fill_rows(source(kind, cut(3, 3)), 4)
    assert isinstance(seen, keras.utils.PyDataset) == (kind != "generator")
    assert [[a.tolist() for a in batch] for batch in seen] == wanted


@pytest.mark.once
def test_batches_of_a_dataset_in_any_order() -> None:
    seen = fill_rows(Batches(cut(2, 1, 4)), 4)
    assert [seen[i][0][0].tolist() for i in (2, 0, 1)] == [
        IDS[i].tolist() for i in (3, 0, 2)
    ]


@pytest.mark.parametrize("ours", [True, False], ids=["MaskedLoss", "Keras"])
def test_nothing_moves(ours: bool) -> None:
    loss = MaskedLoss("mse") if ours else "mse"
    plain, filled = (tagger(keras.optimizers.SGD(1.0), loss) for _ in "ab")
    plain.fit(IDS, TARGETS, batch_size=4, shuffle=False, verbose=0)
    filled.fit(fill_rows(cut(4, 3), 4), shuffle=False, verbose=0)
    for seen, wanted in zip(filled.get_weights(), plain.get_weights()):
        assert_close(seen, wanted)
    assert_close(
        filled.predict(fill_rows([IDS], 4), verbose=0)[:7],
        plain.predict(IDS, verbose=0),
    )


@pytest.mark.once
def test_errors() -> None:
    for value in (0, 2.5, True):
        with pytest.raises(ValueError, match="`multiple_of` must be an int"):
            fill_rows([], value)
    with pytest.raises(ValueError, match="In fill_rows: `mask` must be"):
        fill_rows([], mask="none")
    with pytest.raises(ValueError, match="the same number of rows"):
        [*fill_rows([(IDS, TARGETS[:3])])]
