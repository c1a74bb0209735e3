"""A loss for each real step."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._keras import get_mask
from keras_masking._replicas import Synchronized
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.losses.reduced import Reduced
from keras_masking.ops import apply_mask
from keras_masking.ops.class_weights import ClassWeight
from keras_masking.ops.class_weights import WeighsClasses
from keras_masking.ops.class_weights import read_class_weight
from keras_masking.ops.class_weights import times_class_weights
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.dtypes import wide_dtype
from keras_masking.ops.reading import expanded
from keras_masking.ops.targets import NO_STEPS
from keras_masking.ops.targets import fits
from keras_masking.ops.targets import read_targets
from keras_masking.ops.targets import read_weights
from keras_masking.ops.targets import where_weighed


@export
class MaskedLoss(WeighsClasses, Reduced):
    """A loss over the real steps, whatever the values at padding.

    Keras' own losses respect the mask of `y_pred` too, and give the same number
    if all padding is finite. `MaskedLoss` adds: targets or predictions that are
    NaN at padding steps, where Keras multiplies by 0; a weight for each
    sequence or class; targets of shape `(batch, steps)` for predictions of
    shape `(batch, steps, 1)`; and, where replicas or processes train on parts
    of a batch, the mean over the real steps of the whole batch.

    Args:
        loss: The loss of a step: the name of a Keras loss, a
            `keras.losses.Loss`, or a function of `y_true` and `y_pred`.
        reduction: `"sum_over_batch_size"` or `"mean"`: the sum of the weighted
            losses of all real steps, divided by the number of real steps in the
            batch. `"mean_with_sample_weight"`: divided by the sum of their
            weights. `"sum"`: not divided. None or `"none"`: the weighted loss
            of each step, 0 at padding steps. Defaults to `"auto"`: the
            reduction of `loss`, which is the mean for a name or a function.
        name: Name of the loss. Defaults to the name of `loss`.
        class_weight: Dict from classes, integers from 0, to weights: each step
            has the weight of its target class, times its `sample_weight`. A
            class without an entry has weight 1. Targets are integers `(batch,
            steps)` or `(batch, steps, 1)`, one-hot `(batch, steps, classes)`,
            whose argmax is the class, or 0 and 1 `(batch, steps, 1)`. The
            `class_weight` of `fit` does not know steps: it weights a row by the
            index of its largest class. Defaults to that of `loss`, if it is a
            `MaskedLoss`.
        normalizer: A number that the sum of the weighted losses is divided by,
            in place of the number of real steps. The loss of a batch is then
            the sum of the losses of its parts. Take the real steps that a
            global batch has on average; with `gradient_accumulation_steps`,
            which averages, those of a micro-batch. Defaults to None.
        synchronized: Whether the sums are those of the global batch, whose
            parts other replicas or processes hold, all of which must call the
            loss. True: always. False: never, so that the mean of a replica is
            over its own real steps, as in Keras. `"auto"`: where Keras' `fit`
            combines gradients, that is under a `tf.distribute` strategy, and on
            PyTorch since Keras 3.16 if `torch.distributed` is initialized. With
            `DistributedDataParallel` in a loop of your own pass True. On JAX
            the batch is always the global one. Defaults to `"auto"`.

    Call arguments:
        y_true: Targets, `(batch, steps, ...)`, or `(batch, steps)` for classes
            or single numbers.
        y_pred: Predictions, `(batch, steps, ...)`.
        sample_weight: `(batch,)`, a weight for each sequence, `(batch, steps)`,
            a weight for each step, or more of the first axes of `y_pred`,
            without the last. Defaults to 1. A step with weight 0 adds nothing,
            even if it is NaN; `"mean"` and `"sum_over_batch_size"` still count
            it, as Keras does, and `"mean_with_sample_weight"` does not.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `y_pred` carries, if any. A mask of
            `y_true` is ignored.

    Mask behavior:
        Reads: `(batch, steps)`, or more of the first axes of `y_pred`. Without
            a mask every step is real, and the result is that of `loss`.
        Emits: none.
        Empty row: adds nothing. A batch without any real step has loss 0 and
            gradients 0.
        Padding values: affect neither the loss nor any gradient, even if NaN.
            The gradient at padding steps is exactly 0.

    Keras loss:
        Drops in for: the loss it wraps.
        Differs: Keras misreads weights of shape `(batch,)` as weights of steps,
            or fails, and on PyTorch modifies the caller's weights. float16 is
            computed and accumulated in float32.

    Returns:
        A scalar, or a tensor of shape `(batch, steps)` without a reduction.

    Raises:
        MaskShapeError: If `mask` does not fit `y_pred`, or `y_true` does not
            fit the mask.
        ValueError: If `loss` does not give a number for each step, like CTC and
            Dice; if `sample_weight` has other axes; if `class_weight` is not
            such a dict, has a class that the predictions do not have, or
            `y_true` is none of the targets above; if `normalizer` is not a
            positive number, or there is no sum to divide; if `synchronized` is
            not one of its values.

    Example:

    >>> y_true = np.array([[[1.0], [2.0], [np.nan]]])
    >>> y_pred = np.array([[[1.0], [4.0], [5.0]]])
    >>> loss = keras_masking.losses.MaskedLoss("mse")
    >>> float(loss(y_true, y_pred, mask=np.array([[True, True, False]])))
    2.0
    """

    def __init__(
        self,
        loss: str | keras.losses.Loss | Callable[[Tensor, Tensor], Tensor],
        reduction: str | None = "auto",
        name: str | None = None,
        class_weight: ClassWeight | None = None,
        normalizer: float | None = None,
        synchronized: Synchronized = "auto",
    ) -> None:
        inner = _read_loss(loss)
        if reduction == "auto":
            reduction = getattr(inner, "reduction", "sum_over_batch_size")
        if name is None:
            name = getattr(inner, "name", getattr(inner, "__name__", None))
        if normalizer is None:
            normalizer = getattr(inner, "normalizer", None)
        if synchronized == "auto":
            synchronized = getattr(inner, "synchronized", "auto")
        super().__init__(
            *(name, reduction, normalizer, synchronized),
            dtype=getattr(inner, "dtype", None),
        )
        self.loss = inner
        if class_weight is None:
            class_weight = getattr(inner, "class_weight", None)
        self.class_weight = read_class_weight(self.caller, class_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        inner = self.loss
        return getattr(inner, "call", inner)(y_true, y_pred)

    def weigh(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
        count_zeros: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """The weighted losses, and the count of each in a mean.

        Both are 0 at padding steps, and float32 at least. A step with weight 0
        has loss 0, and counts if `count_zeros`.
        """
        y_true, y_pred, mask = read_targets(self.caller, y_true, y_pred, mask)
        # Half precision represents neither many classes nor large squares.
        dtype = wide_dtype(self.dtype)
        # The loss of padding and its gradient must be finite: a prediction of
        # 0, divided by the sum over its classes, is not.
        y_true = apply_mask(y_true, mask)
        y_pred = ops.cast(apply_mask(y_pred, mask, 1.0), dtype)
        weights = sample_weight
        if self.class_weight is not None:
            weights = times_class_weights(
                *(self.caller, self.class_weight, weights, y_true, y_pred),
                rows=mask is None,
            )
        if weights is not None:
            weights = ops.convert_to_tensor(weights)
            y_true = self._targets_that_count(y_true, weights)
            y_pred = where_weighed(y_pred, weights, 1.0)
        losses = self.call(ops.cast(y_true, dtype), y_pred)
        losses = ops.convert_to_tensor(losses)
        mask = self._join(mask, losses)
        losses = upcast_half(losses)
        counts = ops.ones_like(losses)
        if weights is not None:
            weights = read_weights(self.caller, weights, losses)
            weights = ops.cast(weights, losses.dtype)
            losses = where_weighed(losses * weights, weights)
            if self.reduction == "mean_with_sample_weight":
                counts = weights
            elif not count_zeros:
                counts = where_weighed(counts, weights)
        return apply_mask(losses, mask), apply_mask(counts, mask)

    def _targets_that_count(self, y_true: Tensor, weights: Tensor) -> Tensor:
        """`y_true`, with a class that counts where the weight is 0.

        The set of targets that the loss ignores must not change, since it
        divides by the number of all others.
        """
        ignored = _ignored_class(self.loss)
        filled = where_weighed(y_true, weights, 1.0 if ignored == 0 else 0.0)
        if ignored is None:
            return filled
        return ops.where(ops.equal(y_true, ignored), y_true, filled)

    def _join(self, mask: Tensor | None, losses: Tensor) -> Tensor | None:
        """`mask` combined with the mask made by the loss for `ignore_class`."""
        own = get_mask(losses)
        if mask is None:
            return own
        if not fits(mask, losses):
            raise ValueError(
                describe(
                    self.caller,
                    "the loss must give a number for each step.",
                    NO_STEPS,
                    **{
                        "y_pred's mask": tuple(mask.shape),
                        "losses": tuple(losses.shape),
                    },
                )
            )
        if own is None:
            return mask
        return ops.logical_and(expanded(mask, len(own.shape)), own)

    def get_config(self) -> dict[str, Any]:
        loss = keras.losses.serialize(self.loss)
        return {
            **super().get_config(),
            "loss": loss,
            "class_weight": self.class_weight,
        }


def _ignored_class(loss: Any) -> int | None:
    """The class that the targets ignore, if any."""
    found: int | None = getattr(loss, "ignore_class", None)
    if isinstance(loss, keras.losses.SparseCategoricalCrossentropy):
        # Since Keras 3.16 only the config has it.
        found = loss.get_config().get("ignore_class", found)
    return found


def _read_loss(loss: Any) -> Any:
    """The Keras loss or function that `loss` specifies."""
    try:
        found = keras.losses.get(loss)
    except ValueError:
        found = None
    if found is None:
        raise ValueError(
            describe(
                "MaskedLoss",
                "`loss` must be a Keras loss or a function.",
                "Pass a name in `keras.losses`, for example 'mse'.",
                loss=repr(loss),
            )
        )
    return found
