"""Masks: make them from lengths, count with them, apply them."""

from functools import reduce
from typing import Any

import numpy as np
from keras import ops

from keras_masking._backends import are_torch_tensors
from keras_masking._backends import is_torch_tensor
from keras_masking._backends import new_axis
from keras_masking._backends import torch_traces
from keras_masking._moved import renamed
from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.dtypes import clip_to_int32
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.dtypes import select
from keras_masking.ops.dtypes import zero_unless
from keras_masking.ops.known import check_lengths
from keras_masking.ops.reading import expanded
from keras_masking.ops.reading import read
from keras_masking.ops.reading import read_mask


def full_mask(x: Tensor) -> Tensor:
    """The mask of a sequence without padding.

    Args:
        x: Tensor, `(batch, steps, ...)`; may be symbolic, with unknown sizes.

    Returns:
        Boolean tensor of shape `(batch, steps)`, all True.
    """
    x, _ = read("full_mask", x, None)
    return unchecked_full_mask(x)


def unchecked_full_mask(x: Tensor, ndim: int = 2) -> Tensor:
    return ops.ones_like(first_of_features(x, ndim), dtype="bool")


def first_of_features(x: Tensor, ndim: int) -> Tensor:
    """The first element along all axes after the first `ndim`."""
    for axis in range(len(x.shape) - 1, ndim - 1, -1):
        x = ops.sum(x, axis=axis) if x.shape[axis] == 0 else x[..., 0]
    return x


def lengths_to_mask(
    lengths: Tensor, maxlen: int | None = None, padding: str = "post"
) -> Tensor:
    """Makes a mask from the number of real steps in each row.

    Args:
        lengths: Whole numbers of shape `(batch,)`, from 0 to `maxlen`. Where
            the values are unknown (symbolic or traced), lengths are clipped to
            0 and `maxlen`, and fractions truncated.
        maxlen: Number of steps of the padded batch. Defaults to the longest
            length, which must then be known: inside a compiled function, pass
            `maxlen`.
        padding: `"post"` if the padding follows the real steps, `"pre"` if it
            comes before them, as in `keras.utils.pad_sequences`.

    Returns:
        Boolean tensor of shape `(batch, maxlen)`, True at real steps.

    Raises:
        ValueError: If `lengths` is not of rank 1, a known length is not between
            0 and `maxlen`, or `padding` is unknown.

    Example:

    >>> mask = keras_masking.ops.lengths_to_mask([2, 0, 3])
    >>> keras.ops.convert_to_numpy(mask).astype(int)
    array([[1, 1, 0],
           [0, 0, 0],
           [1, 1, 1]])
    """
    if not hasattr(lengths, "shape"):
        lengths = np.asarray(lengths)
    if len(lengths.shape) != 1:
        raise ValueError(
            describe(
                "`lengths_to_mask`",
                "`lengths` must have shape (batch,).",
                "Drop the extra axes with `keras.ops.reshape(lengths, (-1,))`.",
                **{"lengths.shape": tuple(lengths.shape)},
            )
        )
    if padding not in ("post", "pre"):
        raise ValueError(
            describe(
                "`lengths_to_mask`",
                "`padding` must be 'post' or 'pre'.",
                "Pass 'post' if the padding follows the real steps.",
                padding=repr(padding),
            )
        )
    check_lengths("`lengths_to_mask`", lengths, maxlen)
    lengths = clip_to_int32(lengths)
    if maxlen is None:
        maxlen = int(ops.max(lengths)) if lengths.shape[0] else 0
    maxlen = max(maxlen, 0)
    columns = ops.arange(maxlen, dtype="int32")
    if padding == "pre":
        columns = maxlen - 1 - columns
    return new_axis(columns, 0) < new_axis(lengths, 1)


def mask_to_lengths(mask: Tensor) -> Tensor:
    """Counts the real steps of each row, wherever they are.

    Args:
        mask: Tensor of shape `(batch, steps)`, True at real steps.

    Returns:
        int32 tensor of shape `(batch,)`.

    Example:

    >>> mask = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1]])
    >>> keras.ops.convert_to_numpy(keras_masking.ops.mask_to_lengths(mask))
    array([2, 0, 2], dtype=int32)
    """
    return count_steps(read_mask("mask_to_lengths", mask))


def count_steps(mask: Tensor) -> Tensor:
    """The number of real steps of each row, as int32."""
    return ops.sum(ops.cast(mask, "int32"), axis=1)


def unchecked_position_ids(mask: Tensor) -> Tensor:
    counts = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    return ops.where(mask, counts - 1, 0)


def apply_mask(
    x: Tensor,
    mask: Tensor | None = None,
    fill_value: float = 0.0,
    *,
    fill: float | None = None,
) -> Tensor:
    """Writes `fill_value` at padding steps.

    Values are selected, not multiplied, so a NaN or an infinity at a padding
    step reaches neither the result nor a gradient.

    Args:
        x: Tensor, `(batch, steps, ...)`, of any dtype.
        mask: True at real steps; the first axes of `x`. Defaults to all real. A
            mask of rows, `(batch,)`, must be boolean.
        fill_value: The value at padding steps.
        fill: The old name of `fill_value`, deprecated.

    Returns:
        Tensor of the shape and dtype of `x`.

    Example:

    >>> x = np.array([[1.0, np.nan]], "float32")
    >>> y = keras_masking.ops.apply_mask(x, np.array([[True, False]]))
    >>> keras.ops.convert_to_numpy(y)
    array([[1., 0.]], dtype=float32)
    """
    value = renamed("`apply_mask`", "fill", "fill_value", fill, fill_value)
    return fill_padding(*read("apply_mask", x, mask), value)


def fill_padding(
    x: Tensor, mask: Tensor | None, fill_value: float = 0.0
) -> Tensor:
    """`apply_mask` for a checked mask."""
    if mask is None:
        return x
    mask = expanded(mask, len(x.shape))
    if fill_value == 0:
        return zero_unless(mask, x)
    return select(mask, x, scalar(fill_value, x))


def combine_masks(masks: Any) -> Tensor | None:
    """The logical and of `masks`; None counts as all True.

    A mask with fewer axes is expanded on the right. None if all are None.
    """
    listed = masks if isinstance(masks, (list, tuple)) else [masks]
    given = list({id(m): m for m in listed if m is not None}.values())
    ndim = max([0, *[len(m.shape) for m in given]])
    given = [expanded(m, ndim) for m in given]
    return reduce(both, given) if given else None


def both(mask: Tensor, other: Tensor) -> Tensor:
    """The logical and of two boolean tensors."""
    if are_torch_tensors(mask, other):  # several times as fast
        return mask & other
    return ops.logical_and(mask, other)


def opposite(mask: Tensor) -> Tensor:
    """The logical not of a boolean tensor."""
    return ~mask if is_torch_tensor(mask) else ops.logical_not(mask)


def either(mask: Tensor, other: Tensor) -> Tensor:
    """The logical or of two boolean tensors."""
    if are_torch_tensors(mask, other):
        return mask | other
    return ops.logical_or(mask, other)


def has_real_step(
    mask: Tensor, axis: Axis = 1, keepdims: bool = False
) -> Tensor:
    """Whether there is a real step along `axis`; False for an empty row."""
    if isinstance(axis, int):
        if is_torch_tensor(mask) and torch_traces():
            return mask.any(axis, keepdim=keepdims)
        if is_torch_tensor(mask):  # `any` takes ten times as long
            return mask.sum(axis, keepdim=keepdims) > 0
    else:
        # Keras 3.12 reduces one axis after the other on PyTorch.
        ndim = len(mask.shape)
        axis = tuple(sorted((a % ndim for a in axis), reverse=True))
    return ops.any(mask, axis=axis, keepdims=keepdims)


def has_real_step_in(mask: Tensor, ndim: int) -> Tensor:
    """A mask reduced to its first `ndim` axes, True if any of the rest is."""
    # One by one: Keras 3.12 fails for several axes on PyTorch.
    for axis in reversed(range(ndim, len(mask.shape))):
        mask = has_real_step(mask, axis=axis)
    return mask
