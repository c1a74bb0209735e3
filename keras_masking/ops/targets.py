"""What losses and metrics are called with: targets, predictions, weights."""

from keras import ops

from keras_masking._keras import get_mask
from keras_masking._types import Tensor
from keras_masking.errors import MaskShapeError
from keras_masking.errors import describe
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.known import differ
from keras_masking.ops.reading import check_mask
from keras_masking.ops.reading import expanded

NO_STEPS = (
    "If the loss compares whole sequences, as CTC and Dice do, end the model "
    "with `keras_masking.layers.DropMask()` and tell it the lengths yourself."
)


def fits(mask: Tensor, x: Tensor) -> bool:
    """Whether the first axes of `x` are those of `mask`, as far as known."""
    expected, shape = tuple(mask.shape), tuple(x.shape)
    return len(shape) >= len(expected) and not any(map(differ, expected, shape))


def read_targets(
    caller: str, y_true: Tensor, y_pred: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Targets and predictions of one rank, and the mask to obey.

    The mask is the explicit one, else the one that `y_pred` carries, of
    whatever rank. A number for each step gets an axis of features: a loss that
    averages over its last axis must not meet the steps there.
    """
    if mask is None:
        mask = get_mask(y_pred)
    y_true = ops.convert_to_tensor(y_true)
    y_pred = ops.convert_to_tensor(y_pred)
    ndim = 2
    if mask is not None:
        if hasattr(mask, "shape"):
            ndim = min(len(mask.shape), len(y_pred.shape))
        mask = check_mask(mask, y_pred, caller, ndim=ndim)
        if ndim == len(y_pred.shape):
            y_pred = ops.expand_dims(y_pred, -1)
    if len(y_true.shape) == len(y_pred.shape) - 1 and y_pred.shape[-1] == 1:
        y_true = ops.expand_dims(y_true, -1)
    if mask is not None and not fits(mask, y_true):
        raise MaskShapeError(
            describe(
                caller,
                "`y_true` must have the batch and the steps of `y_pred`.",
                NO_STEPS,
                **{
                    "y_true.shape": tuple(y_true.shape),
                    "y_pred.shape": tuple(y_pred.shape),
                    "mask.shape": tuple(mask.shape),
                },
            )
        )
    return y_true, y_pred, mask


def aligned(weights: Tensor, x: Tensor) -> Tensor | None:
    """`weights` with the axes of `x`, or None if they do not broadcast to it.

    Its axes are the first ones of `x`: `(batch,)` weighs whole sequences.
    """
    ndim = len(x.shape)
    while len(weights.shape) > ndim and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    weights = expanded(weights, ndim)
    if len(weights.shape) > ndim or any(
        differ(w, 1) and differ(w, n) for w, n in zip(weights.shape, x.shape)
    ):
        return None
    return weights


def read_weights(caller: str, weights: Tensor, x: Tensor) -> Tensor:
    """`sample_weight` as one weight for each number of `x`."""
    weights = ops.convert_to_tensor(weights)
    found = aligned(weights, x)
    if found is None:
        given = tuple(weights.shape)
        fix = "Give it the first axes of `y_pred`."
        if len(given) > len(x.shape) > 1:
            fix = "Leave its last axis out: the features of a step share one."
        elif len(given) > len(x.shape):
            fix = (
                "Predictions of a number for each step need an axis of "
                "features, (batch, steps, 1), or their mask."
            )
        raise ValueError(
            describe(
                caller,
                "`sample_weight` must be (batch,), a weight for each sequence, "
                "or (batch, steps), a weight for each step.",
                fix,
                **{"sample_weight.shape": given, "weighed": tuple(x.shape)},
            )
        )
    return ops.broadcast_to(found, ops.shape(x))


def where_weighed(x: Tensor, weights: Tensor, fill: float = 0.0) -> Tensor:
    """`x` with `fill` where its weight is 0, so that NaN is harmless there."""
    found = aligned(weights, x)
    if found is None:
        return x
    return ops.where(ops.not_equal(found, 0), x, scalar(fill, x))


def finite_where_weighed(x: Tensor, weights: Tensor) -> Tensor:
    """`x` with 0 for NaN and infinities where their weight is 0."""
    if not is_float(x):
        return x
    return ops.where(ops.isfinite(x), x, where_weighed(x, weights))


def samples(x: Tensor, mask: Tensor) -> Tensor:
    """`(batch, steps, ...)` as `(batch * steps, ...)`.

    The first real step stands at all padding steps: what is finite of real
    steps is so there, and a weight of 0 removes it. A correlation is NaN of
    features that are all the same, and NaN * 0 is NaN.
    """
    real = ops.reshape(mask, (-1,))
    if 0 in real.shape:
        return ops.reshape(x, (0, *ops.shape(x)[len(mask.shape) :]))
    index = ops.cumsum(ops.ones_like(real, dtype="int32")) - 1
    # Steps before the first real one, counted: there is no `argmax` of none.
    before = ops.equal(ops.cumsum(ops.cast(real, "int32")), 0)
    first = ops.sum(ops.cast(before, "int32"))
    first = ops.where(first < ops.shape(real)[0], first, 0)
    index = ops.where(real, index, ops.cast(first, "int32"))
    features = ops.shape(x)[len(mask.shape) :]
    return ops.take(ops.reshape(x, (-1, *features)), index, axis=0)
