"""What losses and metrics are called with: targets, predictions, weights."""

from keras import ops

from keras_masking._keras import get_mask
from keras_masking._types import Tensor
from keras_masking.errors import MaskShapeError
from keras_masking.errors import describe
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
    who: str, y_true: Tensor, y_pred: Tensor, mask: Tensor | None
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
        mask = check_mask(mask, y_pred, who, ndim=ndim)
        if ndim == len(y_pred.shape):
            y_pred = ops.expand_dims(y_pred, -1)
    if len(y_true.shape) == len(y_pred.shape) - 1 and y_pred.shape[-1] == 1:
        y_true = ops.expand_dims(y_true, -1)
    if mask is not None and not fits(mask, y_true):
        raise MaskShapeError(
            describe(
                who,
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


def read_weights(who: str, weights: Tensor, x: Tensor) -> Tensor:
    """`sample_weight` as one weight for each number of `x`.

    Its axes are the first ones of `x`: `(batch,)` weighs whole sequences.
    """
    weights = ops.convert_to_tensor(weights)
    given, ndim = tuple(weights.shape), len(x.shape)
    while len(weights.shape) > ndim and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    weights = expanded(weights, ndim)
    if len(weights.shape) > ndim or any(
        differ(w, 1) and differ(w, n) for w, n in zip(weights.shape, x.shape)
    ):
        raise ValueError(
            describe(
                who,
                "`sample_weight` must be (batch,), a weight for each sequence, "
                "or (batch, steps), a weight for each step.",
                "Give it the first axes of `y_pred`.",
                **{"sample_weight.shape": given, "weighed": tuple(x.shape)},
            )
        )
    return ops.broadcast_to(weights, ops.shape(x))
