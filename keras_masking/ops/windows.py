"""Which windows of a convolution or a pooling are real."""

import numpy as np
from keras import ops

from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.reading import check_mask
from keras_masking.ops.reading import read


def window_mask(
    mask: Tensor,
    kernel_size: int,
    strides: int = 1,
    padding: str = "valid",
    dilation_rate: int = 1,
) -> Tensor:
    """The mask of the outputs of a convolution or a windowed pooling.

    With `padding="valid"` an output step is real when all steps of its window
    are. With `"same"` and `"causal"` it is real when the step that anchors it
    is: every `strides`-th step. So a row gives the same real outputs alone and
    padded (that anchor-or-all rule is the one of google/sequence-layers).

    Args:
        mask: Tensor of shape `(batch, steps)`, True at real steps.
        kernel_size: Steps in a window.
        strides: Steps from one window to the next.
        padding: `"valid"`, `"same"` or `"causal"`.
        dilation_rate: Distance of neighbouring steps of a window.

    Returns:
        Boolean tensor of shape `(batch, output steps)`. With `"valid"` that is
        `(steps - span) // strides` where `span = (kernel_size - 1) *
        dilation_rate`, rounded up, else `steps / strides`, rounded up.

    Raises:
        ValueError: If a size is not positive, or `padding` is unknown.

    Example:

    >>> mask = np.array([[1, 1, 1, 1, 0, 0]])
    >>> valid = keras_masking.ops.window_mask(mask, 3)
    >>> keras.ops.convert_to_numpy(valid).astype(int)
    array([[1, 1, 0, 0]])
    >>> same = keras_masking.ops.window_mask(mask, 3, 2, padding="same")
    >>> keras.ops.convert_to_numpy(same).astype(int)
    array([[1, 1, 0]])
    """
    sizes = {
        "kernel_size": kernel_size,
        "strides": strides,
        "dilation_rate": dilation_rate,
    }
    if not all(
        isinstance(size, (int, np.integer)) and size > 0
        for size in sizes.values()
    ):
        raise ValueError(
            describe(
                "`window_mask`",
                "the sizes of a window must be positive integers.",
                "Pass 1 for windows that neither jump nor spread.",
                **sizes,
            )
        )
    if padding not in ("valid", "same", "causal"):
        raise ValueError(
            describe(
                "`window_mask`",
                "`padding` must be 'valid', 'same' or 'causal'.",
                "Pass the padding of the layer that slides the window.",
                padding=repr(padding),
            )
        )
    mask, _ = read("window_mask", mask, None)
    mask = check_mask(mask, mask, "`window_mask`")
    if padding != "valid":
        return mask[:, ::strides]
    span = (kernel_size - 1) * dilation_rate
    real = None
    for tap in range(kernel_size):
        start = tap * dilation_rate
        stop = start - span or None
        column = mask[:, start:stop:strides]
        real = column if real is None else ops.logical_and(real, column)
    return real
