"""Connectionist temporal classification over real steps."""

from typing import Any

from keras_masking._export import export
from keras_masking._keras import get_mask
from keras_masking._replicas import Synchronized
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.losses.sequence import SequenceLoss
from keras_masking.ops.ctc import ctc_loss
from keras_masking.ops.ctc import index_of_blank
from keras_masking.ops.dtypes import is_float
from keras_masking.ops.known import check_classes
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.reading import check_mask


@export
class MaskedCTC(SequenceLoss):
    """The CTC loss of the real steps of each sequence.

    The negative log-likelihood of the labels: the sum of the probabilities of
    all alignments that give them once repeated symbols are merged and blanks
    removed (Graves et al., 2006, "Connectionist Temporal Classification"). The
    lengths are read from the mask and the labels.

    Args:
        blank: The class that means "no label": `"first"`, class 0 as in
            `keras.losses.CTC`, or `"last"`. Defaults to `"first"`.
        reduction: `"sum_over_batch_size"` or `"mean"`: the sum of the weighted
            losses, divided by the number of sequences with a real step.
            `"mean_with_sample_weight"`: divided by the sum of their weights.
            `"sum"`: not divided. None or `"none"`: the weighted loss of each
            sequence. Defaults to `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"masked_ctc"`.
        normalizer: A number that the sum of the weighted losses is divided by,
            in place of the number of sequences. Defaults to None.
        synchronized: Whether the mean is that of the global batch where
            replicas or processes train on parts of it, as in `MaskedLoss`.
            Defaults to `"auto"`.

    Call arguments:
        y_true: Labels, integers `(batch, labels)`. Negative labels, the blank,
            and labels where a mask of `y_true` is False are padding, wherever
            they stand.
        y_pred: Logits, `(batch, steps, classes)`, the blank among the classes.
        sample_weight: A weight for each sequence, `(batch,)` or `(batch, 1)`.
            Defaults to 1. A sequence with weight 0 adds nothing.
        mask: Boolean tensor `(batch, steps)`, True at real steps. Defaults to
            the mask that `y_pred` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step is real.
        Emits: none.
        Empty row: has loss 0, gradient 0 and no part in a mean.
        Padding values: affect neither the loss nor any gradient, even if NaN.
            Holes are left out: the steps around them are neighbors.

    Without an alignment, since a sequence has fewer steps than its labels (and
    one more for each pair of equal neighbors), its loss and its gradient are 0,
    like `zero_infinity=True` in PyTorch, and it counts in a mean.

    Keras loss:
        Drops in for: `CTC`.
        Differs: `CTC` counts padding steps, wants all labels in front, and is
            infinite or huge without an alignment. float16 is computed in
            float32.

    Returns:
        A scalar, or a tensor of shape `(batch,)` without a reduction.

    Raises:
        MaskShapeError: If `mask` or `y_true` does not fit `y_pred`.
        ValueError: If `blank` is neither, labels are not integers `(batch,
            labels)` or, where their values are known, not below the number of
            classes; or if `sample_weight` has other axes.

    Example:

    >>> logits = np.log([[[0.2, 0.8], [0.5, 0.5], [0.9, 0.1]]])
    >>> loss = keras_masking.losses.MaskedCTC()
    >>> mask = np.array([[True, True, False]])
    >>> round(float(loss(np.array([[1, -1]]), logits, mask=mask)), 4)
    0.1054
    """

    def __init__(
        self,
        blank: str = "first",
        reduction: str | None = "sum_over_batch_size",
        name: str = "masked_ctc",
        normalizer: float | None = None,
        synchronized: Synchronized = "auto",
    ) -> None:
        super().__init__(name, reduction, normalizer, synchronized)
        index_of_blank(self.caller, blank, 1)
        self.blank = blank

    def weigh(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        # Without a mask no step has to move.
        whole = mask is None and get_mask(y_pred) is None
        given = self._read(y_true, y_pred, mask)
        call = self._call_whole if whole else self.call
        return self._weigh(call, *given, sample_weight)

    def _call_whole(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor
    ) -> Tensor:
        return self.call(y_true, y_pred, None)

    def call(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor | None
    ) -> Tensor:
        blank = index_of_blank(self.caller, self.blank, y_pred.shape[-1])
        return ctc_loss(y_true, y_pred, mask, blank)

    def _read(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        own = get_mask(y_true)
        y_true, y_pred, mask = super()._read(y_true, y_pred, mask)
        if len(y_pred.shape) != 3 or not is_float(y_pred):
            raise ValueError(
                describe(
                    self.caller,
                    "`y_pred` must be logits, (batch, steps, classes).",
                    "End the model with `Dense(classes)`, without activation.",
                    **{"y_pred.shape": tuple(y_pred.shape)},
                    dtype=y_pred.dtype,
                )
            )
        check_classes(self.caller, y_true, y_pred.shape[-1])
        if own is not None:
            own = check_mask(own, y_true, self.caller)
            y_true = fill_padding(y_true, own, -1)
        return y_true, y_pred, mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "blank": self.blank}
