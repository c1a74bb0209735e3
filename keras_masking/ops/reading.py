"""Arguments of the functions here: tensors and masks, read and checked."""

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
from keras_masking.ops.dtypes import NUMBERS
from keras_masking.ops.dtypes import dtype_name


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
    mask = _as_booleans(who, "mask", "where a step is real", mask)
    shape, expected = tuple(mask.shape), tuple(inputs.shape)[:ndim]
    if len(shape) != ndim or any(
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
    return mask


def check_attention_mask(
    mask: Tensor, query: Tensor, value: Tensor, who: str
) -> Tensor:
    """`mask` as booleans `(batch or 1, target or 1, source or 1)`."""
    name = "attention_mask"
    mask = _as_booleans(who, name, "where a query may see a key", mask)
    shape = tuple(mask.shape)
    expected = (query.shape[0], query.shape[1], value.shape[1])
    if len(shape) not in (2, 3) or any(
        None not in pair and pair[0] not in (1, pair[1])
        for pair in zip(shape[::-1], expected[::-1])
    ):
        raise MaskShapeError(
            describe(
                who,
                "`attention_mask` must have shape (batch, target, source), or "
                "one that broadcasts to it.",
                "Its axes are the rows, the steps of `query` and those of "
                "`value`. One for each head works without other masks only.",
                **{
                    "attention_mask.shape": shape,
                    "query.shape": tuple(query.shape),
                    "value.shape": tuple(value.shape),
                },
            )
        )
    return mask if len(shape) == 3 else mask[None]


def _as_booleans(who: str, name: str, when: str, mask: Any) -> Tensor:
    if isinstance(mask, (list, tuple)):
        mask = _array(mask, who)
    dtype = dtype_name(mask)
    dense = is_dense(mask)
    if not dtype.startswith(NUMBERS) or not dense:
        raise MaskDtypeError(
            describe(
                who,
                f"`{name}` must be boolean, True {when}.",
                f"Make it boolean, for example with "
                f"`{name} = keras.ops.not_equal(ids, 0)`.",
                **{f"{name}.dtype": dtype if dense else type(mask).__name__},
            )
        )
    if isinstance(mask, np.ndarray):
        mask, dtype = mask != 0, "bool"
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
        return x, None
    if isinstance(mask, (list, tuple)):
        mask = _array(mask, f"`{who}`")
    ndim = min(len(mask.shape), len(x.shape))
    return x, check_mask(mask, x, f"`{who}`", ndim=ndim)


def read_steps(
    who: str, x: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """As `read`, where the mask must be `(batch, steps)`."""
    x, _ = read(who, x, None)
    if len(x.shape) < 2:
        raise ValueError(
            describe(
                f"`{who}`",
                "`x` must have shape (batch, steps, ...).",
                "A single row is a batch of one: `x[None]`.",
                **{"x.shape": tuple(x.shape)},
            )
        )
    return x, None if mask is None else check_mask(mask, x, f"`{who}`")


def read_expanded(
    who: str, x: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """As `read`, with the mask expanded on the right to the rank of `x`."""
    x, mask = read(who, x, mask)
    if mask is None and 0 in x.shape:
        # Of no steps none is real, and Keras has no maximum of nothing.
        mask = ops.ones_like(x, dtype="bool")
    return x, None if mask is None else expanded(mask, len(x.shape))


def expanded(mask: Tensor, ndim: int) -> Tensor:
    """`mask` with axes of size 1 on the right, up to `ndim` axes."""
    for _ in range(ndim - len(mask.shape)):
        mask = ops.expand_dims(mask, -1)
    return mask


def read_reduced(
    who: str, x: Tensor, mask: Tensor | None, axis: Axis
) -> tuple[Tensor, Tensor | None, Axis]:
    """As `read_expanded`, with the axes to reduce as Python's integers."""
    x, mask = read_expanded(who, x, mask)
    if isinstance(axis, (int, np.integer)):
        return x, mask, int(axis)
    if isinstance(axis, (list, tuple)):
        axes = tuple(int(a) for a in axis)
        return x, mask, axes[0] if len(axes) == 1 else axes
    raise ValueError(
        describe(
            f"`{who}`",
            "`axis` must be an integer or several.",
            "Pass the axis of the steps, 1 as a rule.",
            axis=repr(axis),
        )
    )
