"""The arguments of losses and metrics: targets, predictions, weights."""

from keras import ops

from keras_masking._keras import get_mask
from keras_masking._types import Tensor
from keras_masking.errors import MaskShapeError
from keras_masking.errors import describe
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.known import differ
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.reading import check_mask
from keras_masking.ops.reading import expanded

NO_STEPS = (
    "If the loss compares whole sequences, pass a function of `y_true`, "
    "`y_pred` and `mask` to `keras_masking.losses.MaskedSequenceLoss`; for "
    "CTC there is `MaskedCTC`."
)


class Score:
    """A loss or a metric."""

    kind: str  # "loss" or "metric"
    name: str

    @property
    def caller(self) -> str:
        """Its name in error messages."""
        return f"{self.kind} '{self.name}' (of type {type(self).__name__})"


def fits(mask: Tensor, x: Tensor) -> bool:
    """Whether the first axes of `x` match `mask`, as far as sizes are known."""
    expected, shape = tuple(mask.shape), tuple(x.shape)
    return len(shape) >= len(expected) and not any(map(differ, expected, shape))


def read_targets(
    caller: str, y_true: Tensor, y_pred: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Targets and predictions of equal rank, and the mask to use.

    The mask is the explicit one, else the one that `y_pred` carries, of any
    rank. One number for each step gets a feature axis: a loss that averages
    over its last axis must not average over steps.
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


def read_sequences(
    caller: str,
    y_true: Tensor,
    y_pred: Tensor,
    mask: Tensor | None,
    per_step: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Targets and predictions of whole sequences, and the mask to use.

    The mask is the explicit one, else the one that `y_pred` carries, else all
    True, `(batch, steps)`. `per_step` says whether targets have its steps.
    """
    if mask is None:
        mask = get_mask(y_pred)
    y_true = ops.convert_to_tensor(y_true)
    y_pred = ops.convert_to_tensor(y_pred)
    if len(y_pred.shape) < 2:
        raise ValueError(
            describe(
                caller,
                "`y_pred` must be (batch, steps, ...).",
                "Pass the predictions of all steps.",
                **{"y_pred.shape": tuple(y_pred.shape)},
            )
        )
    if mask is None:
        mask = unchecked_full_mask(y_pred)
    else:
        mask = check_mask(mask, y_pred, caller)
    if not fits(mask if per_step else mask[:, 0], y_true):
        rule, fix = (
            (
                "`y_true` must have the batch and the steps of `y_pred`.",
                "For targets with other axes pass `mask_targets=False`.",
            )
            if per_step
            else (
                "`y_true` must have a row for each row of `y_pred`.",
                "Pass targets of the same sequences.",
            )
        )
        raise MaskShapeError(
            describe(
                caller,
                rule,
                fix,
                **{
                    "y_true.shape": tuple(y_true.shape),
                    "mask.shape": tuple(mask.shape),
                },
            )
        )
    return y_true, y_pred, mask


def aligned(weights: Tensor, x: Tensor) -> Tensor | None:
    """`weights` with the rank of `x`, or None if they do not broadcast to it.

    Their axes are the first axes of `x`: `(batch,)` weights whole sequences.
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
    """`sample_weight` as one weight for each element of `x`."""
    weights = ops.convert_to_tensor(weights)
    found = aligned(weights, x)
    if found is None:
        given = tuple(weights.shape)
        fix = "Its axes must be the first axes of `y_pred`."
        if len(given) > len(x.shape) > 1:
            fix = "Remove its last axis: all features of a step share a weight."
        elif len(given) > len(x.shape):
            fix = (
                "Predictions with one number for each step need a feature "
                "axis, (batch, steps, 1), or a mask."
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
    """`x` with `fill` where the weight is 0, so that NaN is harmless there."""
    found = aligned(weights, x)
    if found is None:
        return x
    return ops.where(ops.not_equal(found, 0), x, scalar(fill, x))


def finite_where_weighed(x: Tensor, weights: Tensor) -> Tensor:
    """`x` with 0 in place of NaN and infinities where the weight is 0."""
    if not is_float(x):
        return x
    return ops.where(ops.isfinite(x), x, where_weighed(x, weights))


def samples(x: Tensor, mask: Tensor) -> Tensor:
    """`(batch, steps, ...)` as `(batch * steps, ...)`.

    Padding steps become copies of the first real step: a result that is finite
    for real steps is finite there, and weight 0 removes it. Constant features
    would give a correlation of NaN, and NaN * 0 is NaN.
    """
    real = ops.reshape(mask, (-1,))
    if 0 in real.shape:
        return ops.reshape(x, (0, *ops.shape(x)[len(mask.shape) :]))
    index = ops.cumsum(ops.ones_like(real, dtype="int32")) - 1
    # Count the steps before the first real one: `argmax` of nothing fails.
    before = ops.equal(ops.cumsum(ops.cast(real, "int32")), 0)
    first = ops.sum(ops.cast(before, "int32"))
    first = ops.where(first < ops.shape(real)[0], first, 0)
    index = ops.where(real, index, ops.cast(first, "int32"))
    features = ops.shape(x)[len(mask.shape) :]
    return ops.take(ops.reshape(x, (-1, *features)), index, axis=0)
