"""Reads and checks the arguments of public functions: tensors and masks.

A mask is checked once, by the public function or layer that it is passed to.
Functions named `unchecked_...` assume a tensor, and a boolean mask that fits it
or None.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._backends import is_dense
from keras_masking._backends import new_axis
from keras_masking._types import Axis
from keras_masking._types import Tensor
from keras_masking.errors import MaskDtypeError
from keras_masking.errors import MaskShapeError
from keras_masking.errors import describe
from keras_masking.ops.dtypes import NUMBERS
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.known import check_zeros_and_ones
from keras_masking.ops.known import differ
from keras_masking.ops.known import is_symbol

REAL = "where a step is real"
SEEN = "where a query may see a key"
LENGTHS = (
    "If these are lengths, one per row, convert them with "
    "`keras_masking.ops.lengths_to_mask(lengths, maxlen)`."
)


def check_mask(
    mask: Tensor, inputs: Tensor, caller: str = "`check_mask`", ndim: int = 2
) -> Tensor:
    """Returns `mask` as booleans, or raises an error if it is invalid.

    Values are checked where they are known: in concrete tensors, NumPy arrays
    and lists. A symbolic or traced mask of numbers is `False` where it is 0 and
    `True` elsewhere. An additive mask without padding is all 0, so it looks
    like a mask of only padding.

    Args:
        mask: The mask, of shape `inputs.shape[:ndim]`: boolean, or numbers, 1
            at real steps and 0 at padding steps.
        inputs: The masked tensor, `(batch, steps, ...)`.
        caller: How error messages name the caller.
        ndim: Number of axes of the mask. Defaults to 2, `(batch, steps)`.

    Returns:
        Boolean tensor of the same shape. An axis of unknown size (`None` in a
        `keras.Input`) fits any size.

    Raises:
        MaskDtypeError: If the mask is neither boolean nor real numbers.
        MaskShapeError: If the shape is not `inputs.shape[:ndim]`.
        MaskValueError: If a value is neither 0 nor 1, as in an additive mask (0
            and `-1e9`), ids or lengths, or is NaN.
    """
    mask = _as_numbers(caller, "mask", REAL, mask)
    shape, expected = tuple(mask.shape), tuple(inputs.shape)[:ndim]
    if len(shape) != ndim or any(map(differ, shape, expected)):
        axes = "(batch, steps)" if ndim == 2 else f"inputs.shape[:{ndim}]"
        raise MaskShapeError(
            describe(
                caller,
                f"`mask` must have shape {axes}, the first axes of `inputs`.",
                _shape_fix(shape, expected),
                **{"mask.shape": shape, "inputs.shape": tuple(inputs.shape)},
            )
        )
    return with_steps_of(inputs, _as_booleans(caller, "mask", REAL, mask))


def with_steps_of(x: Tensor, mask: Tensor) -> Tensor:
    """`mask`, with a number of steps that JAX knows to be that of `x`.

    Two symbols may have one value: `(s + 1) // 2` and `(s - 1) // 2 + 1`, or
    those of two inputs. JAX does not broadcast them.
    """
    if keras.backend.backend() != "jax" or len(mask.shape) != 2:
        return mask
    if not is_symbol(x.shape[1]) or x.shape[1] == mask.shape[1]:
        return mask
    try:
        return ops.slice(mask, (0, 0), tuple(x.shape[:2]))
    except Exception:  # symbols of two inputs, either of which may be larger
        first = x[(..., *[0] * (len(x.shape) - 2))]
        steps = ops.cumsum(ops.ones_like(first, dtype="int32"), axis=1)
        return ops.take_along_axis(mask, steps - 1, axis=1)


def check_attention_mask(
    mask: Tensor, query: Tensor, value: Tensor, caller: str
) -> Tensor:
    """`mask` as booleans `(batch or 1, target or 1, source or 1)`."""
    mask = _as_numbers(caller, "attention_mask", SEEN, mask)
    shape = tuple(mask.shape)
    expected = (query.shape[0], query.shape[1], value.shape[1])
    if len(shape) not in (2, 3) or any(
        differ(size, 1) and differ(size, wanted)
        for size, wanted in zip(shape[::-1], expected[::-1])
    ):
        raise MaskShapeError(
            describe(
                caller,
                "`attention_mask` must have shape (batch, target, source), or "
                "a shape that broadcasts to it.",
                "Its axes are the rows, the steps of `query` and the steps of "
                "`value`. A mask for each head cannot be combined with other "
                "masks.",
                **{
                    "attention_mask.shape": shape,
                    "query.shape": tuple(query.shape),
                    "value.shape": tuple(value.shape),
                },
            )
        )
    mask = _as_booleans(caller, "attention_mask", SEEN, mask)
    return mask if len(shape) == 3 else new_axis(mask, 0)


def check_attention_values(mask: Tensor, caller: str) -> Tensor:
    """`mask` as booleans, of any shape that Keras accepts."""
    mask = _as_numbers(caller, "attention_mask", SEEN, mask)
    return _as_booleans(caller, "attention_mask", SEEN, mask)


def _as_numbers(caller: str, name: str, when: str, mask: Any) -> Tensor:
    """`mask`, with lists as an array, if its dtype is valid for a mask."""
    if isinstance(mask, (list, tuple, bool, int, float)):
        mask = _array(mask, caller)
    dtype = dtype_name(mask)
    dense = is_dense(mask)
    if not dtype.startswith(NUMBERS) or not dense:
        raise MaskDtypeError(
            describe(
                caller,
                f"`{name}` must be boolean, True {when}.",
                f"Make it boolean, for example with "
                f"`{name} = keras.ops.not_equal(ids, 0)`.",
                **{f"{name}.dtype": dtype if dense else type(mask).__name__},
            )
        )
    return mask


def _as_booleans(caller: str, name: str, when: str, mask: Tensor) -> Tensor:
    dtype = dtype_name(mask)
    if dtype == "bool" and ops.is_tensor(mask):
        return mask
    if dtype != "bool":
        check_zeros_and_ones(caller, name, when, mask)
    if isinstance(mask, np.ndarray):
        # Before a backend without 64 bits turns a large number into 0.
        mask, dtype = mask != 0, "bool"
    if not isinstance(mask, keras.KerasTensor):
        mask = ops.convert_to_tensor(mask)
    return mask if dtype == "bool" else ops.cast(mask, "bool")


def _array(mask: Any, caller: str) -> np.ndarray:
    try:
        return np.asarray(mask)
    except ValueError:
        raise MaskShapeError(
            describe(
                caller,
                "`mask` must have shape (batch, steps).",
                "Make its rows equally long.",
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
        return LENGTHS
    if shape[0] == 1 and shape[1:] == expected[1:]:
        return (
            "Masks do not broadcast: repeat it for every row with "
            "`keras.ops.repeat(mask, batch, axis=0)`."
        )
    if shape == expected[::-1]:
        return "Its axes are swapped: `keras.ops.transpose(mask)`."
    return (
        "The mask belongs to another tensor: a layer that changes the steps "
        "must change the mask too, in `compute_mask`."
    )


def read(
    caller: str, x: Tensor, mask: Tensor | None, axes: tuple[int, ...] = ()
) -> tuple[Tensor, Tensor | None]:
    """The arguments of the function `caller` as tensors, the mask checked.

    A mask of the first axis alone may be numbers if that is one of the `axes`
    to reduce. Otherwise they are probably lengths, perhaps not known yet.
    """
    if not isinstance(x, keras.KerasTensor):
        x = ops.convert_to_tensor(x)
    if not dtype_name(x).startswith(NUMBERS):
        raise ValueError(
            describe(
                f"`{caller}`",
                "`x` must be boolean or real numbers.",
                "Split a complex tensor into real and imaginary parts first.",
                **{"x.dtype": dtype_name(x)},
            )
        )
    if mask is None:
        return x, None
    mask = _as_numbers(f"`{caller}`", "mask", REAL, mask)
    ndim = min(len(mask.shape), len(x.shape))
    first = {0, -len(x.shape)} & {*axes}
    if ndim == 1 < len(x.shape) and not first and dtype_name(mask) != "bool":
        raise MaskShapeError(
            describe(
                f"`{caller}`",
                "`mask` must have shape (batch, steps, ...), or be boolean if "
                "it masks rows.",
                f"{LENGTHS} For rows: `mask = keras.ops.not_equal(mask, 0)`.",
                **{"mask.shape": tuple(mask.shape)},
                **{"mask.dtype": dtype_name(mask), "x.shape": tuple(x.shape)},
            )
        )
    return x, check_mask(mask, x, f"`{caller}`", ndim=ndim)


def read_mask(caller: str, mask: Tensor) -> Tensor:
    """Checks a mask that is the function's main argument, `(batch, steps)`."""
    mask = _as_numbers(f"`{caller}`", "mask", REAL, mask)
    shape = tuple(mask.shape)
    if len(shape) != 2:
        raise MaskShapeError(
            describe(
                f"`{caller}`",
                "`mask` must have shape (batch, steps).",
                _shape_fix(shape, (None, None)),
                **{"mask.shape": shape},
            )
        )
    return _as_booleans(f"`{caller}`", "mask", REAL, mask)


def read_steps(
    caller: str, x: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Like `read`, for masks that must be `(batch, steps)`."""
    x, _ = read(caller, x, None)
    if len(x.shape) < 2:
        raise ValueError(
            describe(
                f"`{caller}`",
                "`x` must have shape (batch, steps, ...).",
                "Make a batch of a single row with `x[None]`.",
                **{"x.shape": tuple(x.shape)},
            )
        )
    return x, None if mask is None else check_mask(mask, x, f"`{caller}`")


def of_each_number(x: Tensor, mask: Tensor | None) -> Tensor | None:
    """A checked mask, expanded on the right to the rank of `x`."""
    if mask is None and 0 in x.shape:
        # Without steps nothing is real, and Keras has no maximum of nothing.
        return ops.ones_like(x, dtype="bool")
    return None if mask is None else expanded(mask, len(x.shape))


def expanded(mask: Tensor, ndim: int) -> Tensor:
    """`mask` with axes of size 1 on the right, up to `ndim` axes."""
    for _ in range(ndim - len(mask.shape)):
        mask = new_axis(mask, -1)
    return mask


def read_reduced(
    caller: str, x: Tensor, mask: Tensor | None, axis: Axis
) -> tuple[Tensor, Tensor | None, Axis]:
    """Like `read`, with the axes to reduce as Python integers."""
    axes = _axes(caller, axis)
    x, mask = read(caller, x, mask, axes)
    return x, mask, axes[0] if len(axes) == 1 else axes


def _axes(caller: str, axis: Any) -> tuple[int, ...]:
    if isinstance(axis, (int, np.integer)):
        return (int(axis),)
    if isinstance(axis, (list, tuple)):
        return tuple(int(a) for a in axis)
    raise ValueError(
        describe(
            f"`{caller}`",
            "`axis` must be an integer or a tuple of integers.",
            "Pass the axis of the steps, usually 1.",
            axis=repr(axis),
        )
    )
