"""Masks: made from lengths, checked, counted, applied."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._keras import is_dense
from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.errors import MaskDtypeError
from keras_masking.errors import MaskShapeError
from keras_masking.errors import describe

# What the names of dtypes begin with whose values can be told from 0.
NUMBERS = ("bool", "int", "uint", "float", "bfloat")


def check_mask(
    mask: Tensor, inputs: Tensor, who: str = "`check_mask`", ndim: int = 2
) -> Tensor:
    """Returns `mask` as booleans, or says what is wrong with it.

    Args:
        mask: The mask, of shape `inputs.shape[:ndim]`. Boolean, or integers or
            floats, of which everything but 0 counts as `True`.
        inputs: The tensor that it belongs to, `(batch, steps, ...)`.
        who: Who asks; begins the message of an error.
        ndim: Number of axes of the mask. Defaults to 2, `(batch, steps)`.

    Returns:
        Boolean tensor of the same shape. An axis whose size is not known yet
        (a `None` of a `keras.Input`) fits any size.

    Raises:
        MaskDtypeError: If the mask's dtype is neither boolean nor a real
            number.
        MaskShapeError: If its shape is not `inputs.shape[:ndim]`.
    """
    if isinstance(mask, (list, tuple)):
        mask = _array(mask, who)
    dtype = dtype_name(mask)
    dense = is_dense(mask)
    if not dtype.startswith(NUMBERS) or not dense:
        raise MaskDtypeError(
            describe(
                who,
                "`mask` must be boolean, True where a step is real.",
                "Make it boolean, for example with "
                "`mask = keras.ops.not_equal(ids, 0)`.",
                **{"mask.dtype": dtype if dense else type(mask).__name__},
            )
        )
    if isinstance(mask, np.ndarray):
        mask, dtype = mask != 0, "bool"
    elif not hasattr(mask, "shape"):
        mask = ops.convert_to_tensor(mask)
    shape, expected = tuple(mask.shape), tuple(inputs.shape)[:ndim]
    if len(shape) != len(expected) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(shape, expected)
    ):
        axes = "(batch, steps)" if ndim == 2 else f"inputs.shape[:{ndim}]"
        raise MaskShapeError(
            describe(
                who,
                f"`mask` must have shape {axes}, the first axes of `inputs`.",
                _shape_fix(shape, expected),
                **{"mask.shape": shape, "inputs.shape": tuple(inputs.shape)},
            )
        )
    if not isinstance(mask, keras.KerasTensor):
        mask = ops.convert_to_tensor(mask)
    return mask if dtype == "bool" else ops.cast(mask, "bool")


def _array(mask: list[Any] | tuple[Any, ...], who: str) -> np.ndarray:
    try:
        return np.asarray(mask)
    except ValueError:
        raise MaskShapeError(
            describe(
                who,
                "`mask` must have shape (batch, steps).",
                "Give its rows one length.",
                mask=mask,
            )
        ) from None


def dtype_name(x: Tensor) -> str:
    """The dtype of a tensor or an array, or the type of anything else."""
    if not hasattr(x, "dtype"):
        return type(x).__name__
    try:
        return str(keras.backend.standardize_dtype(x.dtype))
    except (ValueError, TypeError):
        return str(x.dtype)


def _shape_fix(shape: tuple[Any, ...], expected: tuple[Any, ...]) -> str:
    if len(shape) > len(expected):
        return (
            "A mask has no feature axis: reduce it with "
            "`keras.ops.any(mask, axis=-1)`."
        )
    if len(shape) < len(expected):
        return (
            "If these are lengths, one per row, make a mask of them with "
            "`keras_masking.ops.lengths_to_mask(lengths, maxlen)`."
        )
    if shape[0] == 1 and shape[1:] == expected[1:]:
        return (
            "A mask is not broadcast: repeat it for every row with "
            "`keras.ops.repeat(mask, batch, axis=0)`."
        )
    if shape == expected[::-1]:
        return "Its axes are swapped: `keras.ops.transpose(mask)`."
    return (
        "The mask belongs to another tensor: a layer that changes the steps "
        "changes the mask as well (its `compute_mask`)."
    )


def read(
    who: str, x: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Tensors from what the function `who` was called with; mask checked."""
    if not isinstance(x, keras.KerasTensor):
        x = ops.convert_to_tensor(x)
    if not dtype_name(x).startswith(NUMBERS):
        raise ValueError(
            describe(
                f"`{who}`",
                "`x` must be boolean or real numbers.",
                "Take parts of a complex tensor apart first.",
                **{"x.dtype": dtype_name(x)},
            )
        )
    if mask is None:
        # Of no steps none is real, and Keras has no maximum of nothing.
        return x, ops.ones_like(x, dtype="bool") if 0 in x.shape else None
    if isinstance(mask, (list, tuple)):
        mask = _array(mask, f"`{who}`")
    ndim = min(len(mask.shape), len(x.shape))
    return x, check_mask(mask, x, f"`{who}`", ndim=ndim)


def read_expanded(
    who: str, x: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """As `read`, with the mask expanded on the right to the rank of `x`."""
    x, mask = read(who, x, mask)
    if mask is not None:
        for _ in range(len(x.shape) - len(mask.shape)):
            mask = ops.expand_dims(mask, -1)
    return x, mask


def scalar(value: float, x: Tensor) -> Tensor:
    """`value` in the dtype of `x`, so that a `where` does not change it."""
    return ops.convert_to_tensor(
        value, dtype=keras.backend.standardize_dtype(x.dtype)
    )


def saturated(x: Tensor) -> Tensor:
    """Whole numbers as int32; what int32 cannot hold becomes its largest.

    A cast wraps around in place of that, and JAX has no wider integers: it
    cuts NumPy's before anybody sees them.
    """
    limits = np.iinfo("int32")
    if isinstance(x, np.ndarray) and x.dtype.kind in "iu":
        own = np.iinfo(x.dtype)
        low, high = max(own.min, limits.min), min(own.max, limits.max)
        return np.clip(x, low, high).astype("int32")
    if isinstance(x, keras.KerasTensor):
        return ops.cast(x, "int32")
    x = ops.convert_to_tensor(x)
    dtype = dtype_name(x)
    if dtype == "uint64":
        x = ops.cast(x, "int64")
        x = ops.where(x < 0, scalar(limits.max, x), x)
    if dtype in ("int64", "uint64"):
        x = ops.clip(x, limits.min, limits.max)
    x = ops.cast(x, "int32")
    if dtype == "uint32":
        x = ops.where(x < 0, scalar(limits.max, x), x)
    return x


def all_real(x: Tensor) -> Tensor:
    """The mask of a sequence without padding.

    Args:
        x: Tensor, `(batch, steps, ...)`; symbolic too, of unknown sizes.

    Returns:
        Boolean tensor of shape `(batch, steps)`, all True.
    """
    x, _ = read("all_real", x, None)
    return ops.ones_like(first_of_features(x, 2), dtype="bool")


def first_of_features(x: Tensor, ndim: int) -> Tensor:
    """One number for each place of the first `ndim` axes, whatever they are."""
    for axis in range(len(x.shape) - 1, ndim - 1, -1):
        x = ops.sum(x, axis=axis) if x.shape[axis] == 0 else x[..., 0]
    return x


def lengths_to_mask(
    lengths: Tensor, maxlen: int | None = None, padding: str = "post"
) -> Tensor:
    """Makes a mask of the number of real steps in each row.

    Args:
        lengths: Integer tensor of shape `(batch,)`. A length below 0 counts
            as 0, one above `maxlen` as `maxlen`.
        maxlen: Number of steps of the padded batch. Defaults to the longest
            length, which must be known then: inside a compiled function,
            pass it.
        padding: `"post"` if the padding follows the real steps, `"pre"` if it
            comes before them, as in `keras.utils.pad_sequences`.

    Returns:
        Boolean tensor of shape `(batch, maxlen)`, True at real steps.

    Raises:
        ValueError: If `lengths` is not of rank 1, or `padding` is unknown.

    Example:

    >>> mask = keras_masking.ops.lengths_to_mask([2, 0, 3])
    >>> keras.ops.convert_to_numpy(mask).astype(int)
    array([[1, 1, 0],
           [0, 0, 0],
           [1, 1, 1]])
    """
    if not hasattr(lengths, "shape"):
        lengths = np.asarray(lengths)
    lengths = saturated(lengths)
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
    if maxlen is None:
        maxlen = int(ops.max(lengths)) if lengths.shape[0] else 0
    maxlen = max(maxlen, 0)
    columns = ops.arange(maxlen, dtype="int32")
    if padding == "pre":
        columns = maxlen - 1 - columns
    return columns[None, :] < ops.convert_to_tensor(lengths)[:, None]


def mask_to_lengths(mask: Tensor) -> Tensor:
    """Counts the real steps of each row, wherever they stand.

    Args:
        mask: Tensor of shape `(batch, steps)`, True at real steps.

    Returns:
        int32 tensor of shape `(batch,)`.

    Example:

    >>> mask = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 1]])
    >>> keras.ops.convert_to_numpy(keras_masking.ops.mask_to_lengths(mask))
    array([2, 0, 2], dtype=int32)
    """
    mask, _ = read("mask_to_lengths", mask, None)
    mask = check_mask(mask, mask, "`mask_to_lengths`")
    return ops.sum(ops.cast(mask, "int32"), axis=1)


def step_index(mask: Tensor) -> Tensor:
    """Numbers the real steps of each row from 0, padding left out.

    The number of a step does not depend on padding on its left or in holes
    before it, so it is what a position embedding should look up.

    Args:
        mask: Tensor of shape `(batch, steps)`, True at real steps.

    Returns:
        int32 tensor of shape `(batch, steps)`: 0, 1, 2, ... at real steps, and
        0 at padding steps.

    Example:

    >>> mask = np.array([[0, 0, 1, 1], [1, 0, 1, 1]])
    >>> keras.ops.convert_to_numpy(keras_masking.ops.step_index(mask))
    array([[0, 0, 0, 1],
           [0, 0, 1, 2]], dtype=int32)
    """
    mask, _ = read("step_index", mask, None)
    mask = check_mask(mask, mask, "`step_index`")
    counts = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    return ops.where(mask, counts - 1, 0)


def apply_mask(
    x: Tensor, mask: Tensor | None = None, fill: float = 0.0
) -> Tensor:
    """Writes `fill` at padding steps.

    It selects and never multiplies, so a NaN or an infinity at a padding step
    reaches neither the result nor a gradient.

    Args:
        x: Tensor, `(batch, steps, ...)`, of any dtype.
        mask: True at real steps; the first axes of `x`. Defaults to all real.
        fill: The value at padding steps.

    Returns:
        Tensor of the shape and dtype of `x`.

    Example:

    >>> x = np.array([[1.0, np.nan]], "float32")
    >>> y = keras_masking.ops.apply_mask(x, np.array([[True, False]]))
    >>> keras.ops.convert_to_numpy(y)
    array([[1., 0.]], dtype=float32)
    """
    x, mask = read_expanded("apply_mask", x, mask)
    return x if mask is None else ops.where(mask, x, scalar(fill, x))


def any_real(mask: Tensor, axis: Axis = 1, keepdims: bool = False) -> Tensor:
    """Whether there is a real step along `axis`: False for an empty row."""
    return ops.any(mask, axis=axis, keepdims=keepdims)
