"""The masks that wrappers lend to the layers inside."""

import threading
import warnings
from collections.abc import Iterator
from itertools import takewhile
from math import prod
from typing import Any
from typing import NamedTuple
from weakref import WeakSet

from keras import ops

from keras_masking._keras import in_symbolic_call
from keras_masking._types import Tensor
from keras_masking.errors import MaskWarning
from keras_masking.errors import describe
from keras_masking.ops.masks import combine_masks
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.masks import has_real_step_in
from keras_masking.ops.reading import expanded

FIX = (
    "Use layers that pass the mask on, for example `MaskedConv1D` for "
    "`Conv1D`, and `MaskedTimeDistributed` for `TimeDistributed`."
)


class Loan(NamedTuple):
    """A mask that a wrapper lends to the layers inside.

    `cut` has the ids of layers inside a Keras `TimeDistributed`, which removes
    the step axis and calls the layer for each step.
    """

    mask: Tensor  # (rows,), (rows, steps), or more axes
    caller: str  # the name of the wrapper in messages
    cut: frozenset[int] = frozenset()


class Lent(threading.local):
    """The masks lent by the wrappers that are running in this thread."""

    def __init__(self) -> None:
        self.loans: list[Loan] = []
        self.penalized = 0  # id of the layer whose penalty is added next
        # By the id of a running layer: a mask for each of its outputs.
        self.outputs: dict[int, Iterator[Tensor | None]] = {}


LENT = Lent()
# Layers that have already been warned about.
_warned: WeakSet[Any] = WeakSet()


def mask_for(layer: Any, x: Tensor, has_mask: bool = False) -> Tensor | None:
    """The lent mask for the first axes of a tensor inside, if it fits.

    If steps were folded into the rows of `x`, the mask is folded too. Mask axes
    that `x` does not have are reduced: then a row is real if any of its steps
    is.

    Args:
        layer: The layer whose input or output is `x`.
        x: The tensor.
        has_mask: Whether the layer has another mask: if not, it warns once when
            axes of the mask are reduced.
    """
    if not LENT.loans:
        return None
    loan = LENT.loans[-1]
    cut = id(layer) in loan.cut
    most = 1 if cut else max(len(x.shape) - 1, 1)
    foldings = _foldings(loan.mask, x.shape[0])
    masks = [_of_axes(m, x, most) for m in foldings]
    whole = any(
        len(mask.shape) == min(len(m.shape), most + cut)
        for mask, m in zip(masks, foldings)
    )
    if not whole and not has_mask and not in_symbolic_call():
        _warn_once(layer, x, loan)
    if not masks:
        return None
    return masks[0] if len(masks) == 1 else _whichever(masks, x)


def join_lent(layer: Any, x: Tensor, mask: Tensor | None) -> Tensor | None:
    """`mask` combined with the lent mask; either may be None."""
    return combine_masks([mask, mask_for(layer, x, has_mask=mask is not None)])


def _foldings(mask: Tensor, rows: int | None) -> list[Tensor]:
    """The mask with 0, 1, ... of its step axes folded into the rows.

    Candidates that may have `rows` rows; only the first if it surely has.
    """
    found = []
    for axes in range(1, len(mask.shape) + 1):
        sizes = mask.shape[:axes]
        count = None if None in sizes else prod(sizes)
        if None in (count, rows) or count == rows:
            rest = ops.shape(mask)[axes:]
            found.append(mask if axes == 1 else ops.reshape(mask, (-1, *rest)))
            if count is not None and count == rows:
                return found[-1:]
    return found


def _of_axes(mask: Tensor, x: Tensor, most: int) -> Tensor:
    """The mask for the first `most` axes of `x`, as far as they match."""
    pairs = list(zip(x.shape, mask.shape))[1:most]
    alike = list(takewhile(lambda p: None in p or p[0] == p[1], pairs))
    mask = has_real_step_in(mask, len(alike) + 1)
    for axis, pair in enumerate(alike, start=1):
        if None in pair:
            mask = _fitted(mask, axis, ops.shape(x)[axis])
    return mask


def _fitted(mask: Tensor, axis: int, size: Any) -> Tensor:
    """The mask if its axis has that size, known only at run time."""
    return ops.where(
        ops.equal(size, ops.shape(mask)[axis]),
        _resized(mask, axis, size),
        has_real_step(mask, axis=axis, keepdims=True),
    )


def _whichever(masks: list[Tensor], x: Tensor) -> Tensor:
    """The mask with as many rows as `x`, known only at run time."""
    rows = ops.shape(x)[0]
    ndim = max(len(m.shape) for m in masks)
    found = ops.ones((1,) * ndim, dtype="bool")
    for mask in reversed(masks):
        fits = ops.equal(rows, ops.shape(mask)[0])
        mask = expanded(_resized(mask, 0, rows), ndim)
        found = ops.where(fits, mask, found)
    return found


def _resized(mask: Tensor, axis: int, size: Any) -> Tensor:
    """The mask cut or extended to a size, for a branch that may be unused."""
    index = ops.minimum(ops.arange(size), ops.shape(mask)[axis] - 1)
    return ops.take(mask, index, axis=axis)


def _warn_once(layer: Any, x: Tensor, loan: Loan) -> None:
    if layer in _warned:
        return
    _warned.add(layer)
    warnings.warn(
        describe(
            loan.caller,
            "the input of a layer inside has other axes than the mask: it "
            "counts padding.",
            FIX,
            **{
                "layer": f"{type(layer).__name__} '{layer.name}'",
                "inputs.shape": tuple(x.shape),
                "mask.shape": tuple(loan.mask.shape),
            },
        ),
        MaskWarning,
        stacklevel=2,
    )
