"""Statistics and penalties of real steps only, inside wrappers.

The layers inside a wrapper may lose the mask, and a wrapper of segments has
padding rows for which Keras has no mask. So a wrapper lends its mask to the
layers inside while it calls them. Each thread has its own masks, and the layers
are restored when the last wrapper returns.
"""

import inspect
import threading
import warnings
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from functools import wraps
from typing import Any

import keras
from keras import ops

from keras_masking._keras import DIVIDES_PENALTIES
from keras_masking._keras import MOMENTS
from keras_masking._keras import get_mask
from keras_masking._keras import in_symbolic_call
from keras_masking._keras import with_sublayers
from keras_masking._types import Tensor
from keras_masking.errors import MaskWarning
from keras_masking.errors import describe
from keras_masking.layers.lent_masks import LENT
from keras_masking.layers.lent_masks import Loan
from keras_masking.layers.lent_masks import join_lent
from keras_masking.layers.lent_masks import mask_for
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step_in
from keras_masking.ops.reading import expanded
from keras_masking.ops.statistics import unchecked_moments

_lock = threading.Lock()
# By layer id: how many wrappers lend to the layer, and how to undo it.
_borrowers: dict[int, tuple[int, list[Callable[[], None]]]] = {}


@contextmanager
def lend_mask(layer: Any, mask: Tensor | None, caller: str) -> Iterator[None]:
    """Context in which `mask` is lent to `layer` and its sublayers.

    Args:
        layer: The layer inside a wrapper.
        mask: The mask of its inputs: `(rows,)`, `(rows, steps)`, or more axes.
            None keeps the mask that an outer wrapper lends.
        caller: The name of the wrapper in error messages.
    """
    if mask is None:
        yield
        return
    borrowers = with_sublayers(layer)
    distributed = [
        x.layer
        for x in borrowers
        if isinstance(x, keras.layers.TimeDistributed)
    ]
    cut = {id(y) for x in distributed for y in with_sublayers(x)}
    steps = {id(x) for x in distributed}
    with _lock:
        for borrower in borrowers:
            _borrow(borrower, id(borrower) in steps, caller)
    LENT.loans.append(Loan(mask, caller, frozenset(cut)))
    try:
        yield
    finally:
        LENT.loans.pop()
        with _lock:
            for borrower in borrowers:
                _give_back(borrower)


@contextmanager
def penalizing(layer: Any, masks: Iterator[Tensor | None]) -> Iterator[None]:
    """While it lasts, the activity penalty of `layer` sees real steps alone.

    `masks` are those of its outputs, in their order. A mask that an output
    carries comes first.
    """
    with _lock:
        _borrow(layer, False, "")
    LENT.outputs[id(layer)] = masks
    try:
        yield
    finally:
        del LENT.outputs[id(layer)]
        with _lock:
            _give_back(layer)


def _borrow(layer: Any, of_steps: bool, caller: str) -> None:
    count, undo = _borrowers.get(id(layer), (0, []))
    if not count:
        changed: dict[str, Any] = {}
        if isinstance(layer, keras.layers.BatchNormalization):
            changed["call"] = _call_with_any_mask(layer)
            changed[MOMENTS] = _real_moments(layer)
        elif of_steps:
            changed["call"] = _call_of_step(layer, caller)
        if getattr(layer, "activity_regularizer", None) is not None:
            changed["activity_regularizer"] = _real_penalty(layer)
        if not type(layer).__module__.startswith("keras."):
            changed["add_loss"] = _warning(layer, caller)
        undo = [_replace(layer, name, new) for name, new in changed.items()]
    _borrowers[id(layer)] = count + 1, undo


def _give_back(layer: Any) -> None:
    count, undo = _borrowers.pop(id(layer))
    if count > 1:
        _borrowers[id(layer)] = count - 1, undo
        return
    for action in undo:
        action()


def _replace(layer: Any, name: str, new: Any) -> Callable[[], None]:
    """Sets an attribute, bypassing Keras; returns a function that undoes it."""
    own = vars(layer)
    back = (
        partial(object.__setattr__, layer, name, own[name])
        if name in own
        else partial(object.__delattr__, layer, name)
    )
    object.__setattr__(layer, name, new)
    return back


def _call_with_any_mask(layer: Any) -> Callable[..., Any]:
    """`call` of a BatchNormalization that accepts masks of fewer axes."""
    call = layer.call
    signature = inspect.signature(call)

    @wraps(call)
    def wide(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        mask = given.arguments.get("mask")
        if mask is not None and LENT.loans:
            rank = len(given.args[0].shape)
            given.arguments["mask"] = expanded(mask, rank - 1)
        return call(*given.args, **given.kwargs)

    return wide


def _call_of_step(layer: Any, caller: str) -> Callable[..., Any]:
    """`call` of the layer in a TimeDistributed, lending it the step's mask."""
    call = layer.call

    @wraps(call)
    def lending(*args: Any, **kwargs: Any) -> Any:
        mask = kwargs.get("mask")
        if mask is None or not LENT.loans:
            return call(*args, **kwargs)
        LENT.loans.append(Loan(mask, caller))
        try:
            return call(*args, **kwargs)
        finally:
            LENT.loans.pop()

    return lending


def _real_moments(layer: Any) -> Callable[..., Any]:
    """Mean and variance of a BatchNormalization, in training."""
    moments = getattr(layer, MOMENTS)

    def real(inputs: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        lent_mask = mask_for(layer, inputs, has_mask=mask is not None)
        if lent_mask is None:
            return moments(inputs, mask)
        rank = len(inputs.shape)
        if mask is not None:
            both = ops.logical_and(
                expanded(lent_mask, rank - 1), ops.cast(mask, "bool")
            )
            lent_mask = ops.broadcast_to(both, ops.shape(inputs)[:-1])
        reduced = [a for a in range(rank) if a != layer.axis % rank]
        mean, variance = unchecked_moments(inputs, lent_mask, reduced)
        # Without a real row the statistics stay: Keras would move them to 0.
        some = ops.any(lent_mask)
        return (
            ops.where(some, mean, ops.cast(layer.moving_mean, mean.dtype)),
            ops.where(
                some, variance, ops.cast(layer.moving_variance, variance.dtype)
            ),
        )

    return real


def _real_penalty(layer: Any) -> Callable[[Tensor], Tensor]:
    """An activity regularizer that sees zeros at padding steps.

    Where Keras divides by the number of rows, count those with a real step.
    """
    regularizer = layer.activity_regularizer

    def real(y: Tensor) -> Tensor:
        LENT.penalized = id(layer)
        own = next(LENT.outputs.get(id(layer), iter(())), None)
        own = own if get_mask(y) is None else get_mask(y)
        mask = join_lent(layer, y, own)
        if mask is None:
            return regularizer(y)
        steps = own is None and len(mask.shape) > 1
        if steps and getattr(layer, "go_backwards", False):
            mask = ops.flip(mask, axis=1)
        return penalty(y, mask)

    def penalty(y: Tensor, mask: Tensor) -> Tensor:
        loss = regularizer(fill_padding(y, mask))
        if not DIVIDES_PENALTIES:
            return loss
        rows = has_real_step_in(mask, 1)
        count = ops.maximum(ops.sum(ops.cast(rows, loss.dtype)), 1)
        return loss * ops.cast(ops.shape(y)[0], loss.dtype) / count

    return real


def _warning(layer: Any, caller: str) -> Callable[[Any], None]:
    """`add_loss` of a custom layer that takes no mask: it warns."""
    add_loss = layer.add_loss
    takes_mask = "mask" in inspect.signature(layer.call).parameters

    def warn(loss: Any) -> None:
        penalty, LENT.penalized = LENT.penalized == id(layer), 0
        quiet = penalty or takes_mask or in_symbolic_call()
        if LENT.loans and not quiet:
            warnings.warn(
                describe(
                    caller,
                    "a layer inside adds a loss without reading the mask: it "
                    "counts padding.",
                    "Let its `call` take a `mask`, or add the loss outside.",
                    layer=f"{type(layer).__name__} '{layer.name}'",
                ),
                MaskWarning,
                stacklevel=2,
            )
        add_loss(loss)

    return warn
