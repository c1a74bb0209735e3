"""Which windows are real, told one window at a time."""

import itertools

import pytest

from keras_masking import ops
from tests.helpers import MASKS
from tests.helpers import to_numpy


def by_loops(
    row: list, kernel_size: int, strides: int, padding: str, dilation: int
) -> list:
    steps = len(row)
    if padding != "valid":
        return [row[anchor] for anchor in range(0, steps, strides)]
    windows = []
    for start in itertools.count(0, strides):
        taps = [start + tap * dilation for tap in range(kernel_size)]
        if taps[-1] >= steps:
            return windows
        windows.append(all(row[tap] for tap in taps))


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_window_mask(
    padding: str, strides: int, dilation: int, kind: str
) -> None:
    for kernel_size in (1, 2, 3, 4, 8):
        got = ops.window_mask(
            MASKS[kind], kernel_size, strides, padding, dilation
        )
        wanted = [
            by_loops(row, kernel_size, strides, padding, dilation)
            for row in MASKS[kind].tolist()
        ]
        assert to_numpy(got).tolist() == wanted
