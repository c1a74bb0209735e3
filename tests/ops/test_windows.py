"""Which windows are real, one window at a time."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import ops
from tests.helpers import MASKS
from tests.helpers import compiled
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


def made_by_runs(row: list, layer: keras.layers.Layer) -> list:
    """Each run of real steps gives what Keras gives for it alone."""

    def length(steps: int) -> int:
        return layer.compute_output_shape((1, steps, 1))[1]

    outputs, start = [False] * length(len(row)), 0
    for real, run in itertools.groupby(row):
        steps = len(list(run))
        first = start * layer.strides[0]
        if real:
            outputs[first : first + length(steps)] = [True] * length(steps)
        start += steps
    return outputs


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2, 3, 5])
def test_transposed_window_mask(padding: str, strides: int) -> None:
    for kernel_size, output_padding, dilation in itertools.product(
        (1, 2, 3, 4, 7), (None, *range(strides)), (1, 2)
    ):
        if strides > 1 and dilation > 1:  # Keras does not allow both
            continue
        how = kernel_size, strides, padding, output_padding, dilation
        layer = keras.layers.Conv1DTranspose(
            1,
            kernel_size,
            strides,
            padding,
            output_padding=output_padding,
            dilation_rate=dilation,
        )
        for kind, mask in MASKS.items():
            got = to_numpy(ops.transposed_window_mask(mask, *how))
            wanted = [made_by_runs(row, layer) for row in mask.tolist()]
            assert got.dtype == bool
            assert got.tolist() == wanted, (how, kind)


def both(mask: Any) -> tuple:
    return (
        ops.window_mask(mask, 3, 2, "valid"),
        ops.transposed_window_mask(mask, 3, 2, "valid"),
        ops.transposed_window_mask(mask, 2, 3, "same", 0),
    )


def test_masks_of_numbers_unknown_sizes_and_compiled() -> None:
    mask = MASKS["holes"]
    wanted = [to_numpy(y) for y in both(mask)]
    real = keras.Input((None,), dtype="bool")
    outputs = [keras.ops.cast(y, "int32") for y in both(real)]
    model = keras.Model(real, outputs)
    for got in (
        both(mask.astype("int32")),
        both(mask.astype("float32").tolist()),
        model.predict(mask, verbose=0),
        compiled(both)(keras.ops.convert_to_tensor(mask)),
    ):
        for one, other in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(to_numpy(one), other)


def test_of_nothing() -> None:
    """No steps give none, unless the kernel is longer than its strides."""
    for padding, grows in (("valid", 1), ("same", 0)):
        how = 3, 2, padding
        got = to_numpy(ops.transposed_window_mask(np.ones((2, 0)), *how))
        assert got.tolist() == [[False] * grows] * 2
        got = to_numpy(ops.transposed_window_mask(np.ones((0, 5)), *how))
        assert got.shape == (0, 10 + grows)
        got = to_numpy(ops.window_mask(np.ones((0, 5)), *how))
        assert got.shape == (0, 2 if padding == "valid" else 3)
        assert to_numpy(ops.window_mask(np.ones((2, 0)), *how)).shape == (2, 0)


SIZES = (
    "window sizes must be positive integers. Received: kernel_size={}, "
    "strides={}, dilation_rate={}. The default of `strides` and "
    "`dilation_rate` is 1."
)
PADDING = (
    "`padding` must be 'valid' or 'same'. Received: padding='{}'. Pass "
    "'valid' for whole windows only, 'same' for one window per stride."
)
REFUSED = {
    "causal": ((3, 1, "causal"), PADDING.format("causal")),
    "full": ((3, 1, "full"), PADDING.format("full")),
    "no size": ((0,), SIZES.format(0, 1, 1)),
    "no strides": ((3, 0), SIZES.format(3, 0, 1)),
    "half a stride": ((3, 0.5), SIZES.format(3, 0.5, 1)),
    "no dilation": ((3, 1, "same", None, 0), SIZES.format(3, 1, 0)),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(kind: str) -> None:
    arguments, message = REFUSED[kind]
    with pytest.raises(ValueError, match="In `transposed_window") as info:
        ops.transposed_window_mask(MASKS["left"], *arguments)
    assert str(info.value) == f"In `transposed_window_mask`: {message}"


def test_masks_that_are_refused() -> None:
    caller = "^In `transposed_window_mask`: `mask` must"
    with pytest.raises(ValueError, match=rf"{caller} have shape .*\(3, 7, 1\)"):
        ops.transposed_window_mask(MASKS["left"][..., None], 3)
