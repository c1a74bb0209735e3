"""TemporalConcatenate: the real steps of its inputs, concatenated."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking._keras import get_mask
from tests import oracle
from tests.helpers import MASKS
from tests.helpers import POISON
from tests.helpers import assert_close
from tests.helpers import gradient
from tests.helpers import mask_of
from tests.helpers import poisoned
from tests.helpers import sample
from tests.helpers import to_numpy

X, Y = sample(seed=1), sample(steps=5, seed=2)
KINDS = ["right", "left", "holes", "empty", "nothing"]
MORE = MASKS["left"][:, 2:]


def wanted(pairs: list) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and mask, row by row, of `(tensor, mask or None)`."""
    rows = []
    for row in range(3):
        steps, total = [], 0
        for x, mask in pairs:
            real = [True] * x.shape[1] if mask is None else mask[row].tolist()
            steps += oracle.real_steps(x[row].tolist(), real)
            total += x.shape[1]
        rows.append(steps + [oracle.PADDING] * (total - len(steps)))
    real = np.array([[step is not oracle.PADDING for step in r] for r in rows])
    return np.array([[s or [0.0] * 4 for s in r] for r in rows]), real


def check(z: Any, pairs: list) -> None:
    values, real = wanted(pairs)
    np.testing.assert_array_equal(mask_of(z), real)
    assert_close(z, values)


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_the_oracle(kind: str, poison: str) -> None:
    mask = MASKS[kind]
    x, y = (poisoned(a, m, POISON[poison]) for a, m in ((X, mask), (Y, MORE)))
    join = layers.TemporalConcatenate()
    check(join([x, y], mask=[mask, MORE]), [(X, mask), (Y, MORE)])
    check(join([x, Y], mask=[mask, None]), [(X, mask), (Y, None)])
    check(join([Y, x], mask=[None, mask]), [(Y, None), (X, mask)])


def test_three_and_one() -> None:
    mask = MASKS["holes"]
    join = layers.TemporalConcatenate()
    pairs = [(X, mask), (Y, None), (X, MASKS["left"])]
    check(join([x for x, _ in pairs], mask=[m for _, m in pairs]), pairs)
    check(join([X], mask=[mask]), [(X, mask)])


def test_without_masks_it_is_keras() -> None:
    z = layers.TemporalConcatenate()([X, Y])
    theirs = keras.layers.Concatenate(axis=1)([X, Y])
    np.testing.assert_array_equal(to_numpy(z), to_numpy(theirs))
    assert mask_of(z) is None
    one = ops.convert_to_tensor(X)
    assert layers.TemporalConcatenate()([one]) is not one


def test_carried_masks_count_and_explicit_ones_win() -> None:
    mask, join = MASKS["holes"], layers.TemporalConcatenate()
    x = layers.AttachMask()(X, mask=MASKS["right"])
    y = layers.AttachMask()(Y, mask=MORE)
    check(join([x, y]), [(X, MASKS["right"]), (Y, MORE)])
    check(join([x, y], mask=[mask, None]), [(X, mask), (Y, MORE)])
    check(join([x, Y]), [(X, MASKS["right"]), (Y, None)])
    assert np.array_equal(to_numpy(get_mask(x)), MASKS["right"])


@pytest.mark.parametrize("static", [False, True])
def test_in_a_saved_functional_model(tmp_path: Path, static: bool) -> None:
    steps = (7, 5) if static else (None, None)
    inputs = [keras.Input((n, 4)) for n in steps]
    masks = [keras.Input((n,), dtype="bool") for n in steps]
    carrying = [layers.AttachMask()(x, mask=m) for x, m in zip(inputs, masks)]
    z = layers.TemporalConcatenate()(carrying)
    assert z.shape == (None, 12 if static else None, 4)
    model = keras.Model([*inputs, *masks], [z, layers.GetMask()(z)])
    model.save(tmp_path / "model.keras")
    mask = MASKS["holes"]
    data = [poisoned(X, mask, np.nan), poisoned(Y, MORE, np.nan), mask, MORE]
    for made in (model, keras.saving.load_model(tmp_path / "model.keras")):
        values, real = made.predict(data, verbose=0)
        want, want_real = wanted([(X, mask), (Y, MORE)])
        assert_close(values, want)
        np.testing.assert_array_equal(real, want_real)


def test_gradients_reach_real_steps_only() -> None:
    mask, join = MASKS["holes"], layers.TemporalConcatenate()
    w = sample(steps=12, seed=5)
    x, y = poisoned(X, mask, np.nan), poisoned(Y, MORE, np.nan)

    def loss(x: Any, y: Any) -> Any:
        return ops.sum(ops.multiply(join([x, y], mask=[mask, MORE]), w))

    for compile in (False, True):
        for grad, real, first in zip(
            gradient(loss, x, y, compile=compile),
            (mask, MORE),
            (np.zeros(3, int), mask.sum(axis=1)),
        ):
            want = np.zeros_like(grad)
            for row in range(3):
                for k, t in enumerate(np.flatnonzero(real[row])):
                    want[row, t] = w[row, first[row] + k]
            assert_close(grad, want)


@pytest.mark.parametrize("dtype", ["int32", "bool", "float16"])
def test_dtypes(dtype: str) -> None:
    x = X.astype(dtype)
    join = layers.TemporalConcatenate(dtype="float32")
    compute = "float32" if dtype == "float16" else dtype
    z = join([x, x], mask=[MASKS["left"], None])
    assert keras.backend.standardize_dtype(z.dtype) == compute
    symbol = join([keras.Input((7, 4), dtype=dtype)] * 2)
    assert symbol.dtype == compute


def test_a_cast_does_not_lose_the_masks() -> None:
    x = layers.AttachMask()(X, mask=MASKS["right"])
    y = layers.AttachMask()(Y, mask=MORE)
    z = layers.TemporalConcatenate(dtype="mixed_float16")([x, y])
    assert keras.backend.standardize_dtype(z.dtype) == "float16"
    _, real = wanted([(X, MASKS["right"]), (Y, MORE)])
    np.testing.assert_array_equal(mask_of(z), real)
