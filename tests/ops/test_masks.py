"""Masks made, read and numbered."""

import keras
import numpy as np
import pytest

from keras_masking import ops
from tests.helpers import BACKEND
from tests.helpers import MASKS
from tests.helpers import compiled
from tests.helpers import to_numpy


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "float32"])
@pytest.mark.parametrize("padding", ["post", "pre"])
def test_lengths_to_mask(padding: str, dtype: str) -> None:
    lengths = [3, 0, 5, 1]
    mask = to_numpy(ops.lengths_to_mask(np.array(lengths, dtype), 5, padding))
    wanted = [[True] * n + [False] * (5 - n) for n in lengths]
    if padding == "pre":
        wanted = [row[::-1] for row in wanted]
    np.testing.assert_array_equal(mask, wanted)
    counts = to_numpy(ops.mask_to_lengths(mask))
    assert counts.tolist() == lengths
    assert counts.dtype == "int32"


def test_lengths_to_mask_finds_the_longest() -> None:
    assert tuple(ops.lengths_to_mask([2, 4]).shape) == (2, 4)
    assert tuple(ops.lengths_to_mask(np.zeros(0, "int32")).shape) == (0, 0)


def test_lengths_of_any_size() -> None:
    """Unknown values are not rejected, and do not wrap around."""

    def run(*lengths: int, dtype: str) -> list:
        mask = compiled(lambda n: ops.lengths_to_mask(n, 3))
        tensor = keras.ops.convert_to_tensor(np.array(lengths, dtype))
        return to_numpy(mask(tensor)).tolist()

    if BACKEND != "jax":  # it has no 64-bit integers
        found = run(2**32 + 1, 2**31, -(2**40), 2, dtype="int64")
        wanted = [[True] * 3, [True] * 3, [False] * 3, [True, True, False]]
        assert found == wanted
    found = run(2**31 + 5, 1, dtype="uint32")
    assert found == [[True, True, True], [True, False, False]]
    assert tuple(ops.lengths_to_mask([0, 0]).shape) == (2, 0)


@pytest.mark.parametrize("kind", MASKS)
def test_step_index(kind: str) -> None:
    mask = MASKS[kind]
    wanted = []
    for row in mask.tolist():
        seen = 0
        wanted.append([])
        for real in row:
            wanted[-1].append(seen if real else 0)
            seen += real
    index = to_numpy(ops.position_ids(mask))
    assert index.dtype == "int32"
    assert index.tolist() == wanted
    assert to_numpy(ops.mask_to_lengths(mask)).tolist() == [
        sum(row) for row in mask.tolist()
    ]


def test_step_index_does_not_see_left_padding() -> None:
    row = np.array([[True, False, True, True]])
    moved = np.pad(row, ((0, 0), (3, 0)))
    assert (
        to_numpy(ops.position_ids(moved))[:, 3:].tolist()
        == to_numpy(ops.position_ids(row)).tolist()
    )


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "int32", "uint8", "bool"]
)
@pytest.mark.parametrize("fill", [0, 1])
def test_apply_mask_keeps_the_dtype(dtype: str, fill: int) -> None:
    x = keras.ops.cast(np.arange(6).reshape(2, 3), dtype)
    mask = np.array([[1, 0, 1], [0, 0, 1]])
    y = ops.apply_mask(x, mask, fill_value=fill)
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    wanted = [[0, fill, 2], [fill, fill, 5]]
    if dtype == "bool":
        wanted = [[False, bool(fill), True], [bool(fill)] * 2 + [True]]
    np.testing.assert_array_equal(
        to_numpy(keras.ops.cast(y, "float32")), wanted
    )


def test_all_real() -> None:
    for shape in ((2, 3), (2, 3, 4), (2, 3, 4, 5)):
        mask = ops.full_mask(np.full(shape, np.nan, "float32"))
        np.testing.assert_array_equal(to_numpy(mask), np.ones((2, 3), bool))
    symbolic = ops.full_mask(keras.Input((None, 4)))
    assert symbolic.shape == (None, None)


def test_check_mask_reads_zeros_and_ones() -> None:
    x = np.zeros((2, 3, 4))
    for mask in ([[1, 0, 1], [0, 0, 0]], [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]):
        for form in (mask, np.array(mask), keras.ops.convert_to_tensor(mask)):
            checked = ops.check_mask(form, x)
            wanted = [[True, False, True], [False] * 3]
            np.testing.assert_array_equal(to_numpy(checked), wanted)
