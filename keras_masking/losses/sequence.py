"""Losses of whole sequences, which read the mask."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_masking._backends import new_axis
from keras_masking._export import export
from keras_masking._replicas import Synchronized
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.losses.reduced import Reduced
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.dtypes import wide_dtype
from keras_masking.ops.known import differ
from keras_masking.ops.masks import both
from keras_masking.ops.masks import either
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.masks import opposite
from keras_masking.ops.targets import read_sequences
from keras_masking.ops.targets import read_weights


class SequenceLoss(Reduced):
    """Base of the losses of whole sequences.

    A subclass gives a number for each row in `call(y_true, y_pred, mask)`. It
    meets no empty row and no NaN at padding: what does not count is replaced by
    a row of zeros whose steps are all real.
    """

    mask_targets = False

    def weigh(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The weighted loss of each row, and its count in a mean.

        Both are `(batch,)`, float32 at least, and 0 for empty rows. A row with
        weight 0 has loss 0, and counts, as in Keras.
        """
        given = self._read(y_true, y_pred, mask)
        return self._weigh(self.call, *given, sample_weight)

    def _weigh(
        self,
        function: Callable[[Tensor, Tensor, Tensor], Tensor],
        y_true: Tensor,
        y_pred: Tensor,
        mask: Tensor,
        sample_weight: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """The same, by `function`, of what was read."""
        real = has_real_step(mask)
        used, weights = real, None
        if sample_weight is not None:
            weights = read_weights(self.caller, sample_weight, real)
            used = both(real, ops.not_equal(weights, 0))
        y_pred = fill_padding(y_pred, both(mask, new_axis(used, 1)))
        if self.mask_targets:
            y_true = fill_padding(y_true, mask)
        y_true = fill_padding(y_true, used)
        mask = either(mask, new_axis(opposite(used), 1))
        losses = ops.convert_to_tensor(function(y_true, y_pred, mask))
        if len(losses.shape) != 1 or differ(losses.shape[0], mask.shape[0]):
            self._refuse_numbers(losses, mask)
        losses = fill_padding(upcast_half(losses), used)
        counts = ops.cast(real, losses.dtype)
        if weights is not None:
            weights = fill_padding(ops.cast(weights, losses.dtype), real)
            losses = losses * fill_padding(weights, used)
            if self.reduction == "mean_with_sample_weight":
                counts = weights
        return losses, counts

    def _read(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        y_true, y_pred, mask = read_sequences(
            self.caller, y_true, y_pred, mask, self.mask_targets
        )
        # Half precision does not hold long sums.
        y_true, y_pred = (
            ops.cast(x, wide_dtype(self.dtype)) if is_float(x) else x
            for x in (y_true, y_pred)
        )
        return y_true, y_pred, mask

    def _refuse_numbers(self, losses: Tensor, mask: Tensor) -> None:
        raise ValueError(
            describe(
                self.caller,
                "`fn` must return a number for each sequence, (batch,).",
                "Sum or average over all other axes. For a loss of each step, "
                "see `MaskedLoss`.",
                **{
                    "losses.shape": tuple(losses.shape),
                    "mask.shape": tuple(mask.shape),
                },
            )
        )


@export
class MaskedSequenceLoss(SequenceLoss):
    """A loss of whole sequences, by a function that gets the mask.

    For losses that `MaskedLoss` cannot wrap, since they are no mean over steps:
    a distance between sequences, a likelihood of paths, a ratio of sums.

    Args:
        fn: A function of `y_true`, `y_pred` and `mask` that returns a number
            for each sequence, `(batch,)`. `mask` is boolean, `(batch, steps)`.
            It meets no empty row, and padding is 0 (see below). To save a
            model, register it with
            `keras.saving.register_keras_serializable()`.
        reduction: `"sum_over_batch_size"` or `"mean"`: the sum of the weighted
            losses, divided by the number of sequences with a real step.
            `"mean_with_sample_weight"`: divided by the sum of their weights.
            `"sum"`: not divided. None or `"none"`: the weighted loss of each
            sequence, 0 for empty rows. Defaults to `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to the name of `fn`.
        mask_targets: Whether `y_true` has the steps of `y_pred`. Its padding is
            then 0 too. Pass False for targets with other axes, for example
            `(batch, labels)`. Defaults to True.
        normalizer: A number that the sum of the weighted losses is divided by,
            in place of the number of sequences. Defaults to None.
        synchronized: Whether the mean is that of the global batch where
            replicas or processes train on parts of it, as in `MaskedLoss`.
            Defaults to `"auto"`.

    Call arguments:
        y_true: Targets, `(batch, steps, ...)`, or `(batch, ...)` with
            `mask_targets=False`.
        y_pred: Predictions, `(batch, steps, ...)`.
        sample_weight: A weight for each sequence, `(batch,)` or `(batch, 1)`.
            Defaults to 1. A sequence with weight 0 adds nothing, even if it is
            NaN; `"mean"` and `"sum_over_batch_size"` still count it, as Keras
            does.
        mask: Boolean tensor `(batch, steps)`, True at real steps. Defaults to
            the mask that `y_pred` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step is real.
        Emits: none.
        Empty row: has loss 0, gradient 0 and no part in a mean. `fn` gets a row
            of zeros instead, with all steps real, so that it need not divide
            by 0.
        Padding values: `fn` gets zeros instead, in float32 at least, so NaN is
            harmless. Whether zeros count is up to `fn`: select with `mask`.

    Returns:
        A scalar, or a tensor of shape `(batch,)` without a reduction.

    Raises:
        MaskShapeError: If `mask` or `y_true` does not fit `y_pred`.
        ValueError: If `fn` is no function or returns other than `(batch,)`, or
            `sample_weight` has other axes.

    Example:

    >>> def worst_step(y_true, y_pred, mask):
    ...     errors = keras.ops.abs(y_true - y_pred)[..., 0]
    ...     return keras_masking.ops.masked_max(errors, mask)
    >>> loss = keras_masking.losses.MaskedSequenceLoss(worst_step)
    >>> y_true, y_pred = np.zeros((1, 3, 1)), np.array([[[1.0], [2.0], [9.0]]])
    >>> float(loss(y_true, y_pred, mask=np.array([[True, True, False]])))
    2.0
    """

    def __init__(
        self,
        fn: Callable[[Tensor, Tensor, Tensor], Tensor],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        mask_targets: bool = True,
        normalizer: float | None = None,
        synchronized: Synchronized = "auto",
    ) -> None:
        if isinstance(fn, dict):
            fn = keras.saving.deserialize_keras_object(fn)
        if not callable(fn):
            raise ValueError(
                describe(
                    "MaskedSequenceLoss",
                    "`fn` must be a function of `y_true`, `y_pred` and `mask`.",
                    "Pass one that returns a number for each sequence.",
                    fn=repr(fn),
                )
            )
        name = name or getattr(fn, "__name__", None)
        super().__init__(name, reduction, normalizer, synchronized)
        self.fn = fn
        self.mask_targets = mask_targets

    def call(self, y_true: Tensor, y_pred: Tensor, mask: Tensor) -> Tensor:
        return self.fn(y_true, y_pred, mask)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fn": keras.saving.serialize_keras_object(self.fn),
            "mask_targets": self.mask_targets,
        }
