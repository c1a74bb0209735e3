"""The loss of a linear-chain conditional random field."""

from keras import ops

from keras_masking._export import export
from keras_masking._replicas import Synchronized
from keras_masking._types import Tensor
from keras_masking.losses.sequence import SequenceLoss
from keras_masking.ops.crf import check_potentials
from keras_masking.ops.crf import unchecked_crf_log_likelihood
from keras_masking.ops.crf_factors import factored_log_likelihood
from keras_masking.ops.crf_factors import get_factors
from keras_masking.ops.known import check_classes


@export
class CRFLoss(SequenceLoss):
    """The negative log-likelihood of the tags of each sequence.

    For models that end with `keras_masking.layers.LinearChainCRF`.

    Args:
        reduction: `"sum_over_batch_size"` or `"mean"`: the sum of the weighted
            losses, divided by the number of sequences with a real step.
            `"mean_with_sample_weight"`: divided by the sum of their weights.
            `"sum"`: not divided. None or `"none"`: the weighted loss of each
            sequence. Defaults to `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `"crf_loss"`.
        normalizer: A number that the sum of the weighted losses is divided by,
            in place of the number of sequences. Defaults to None.
        synchronized: Whether the mean is that of the global batch where
            replicas or processes train on parts of it, as in `MaskedLoss`.
            Defaults to `"auto"`.

    Call arguments:
        y_true: Tags, integers `(batch, steps)` or `(batch, steps, 1)`, of any
            value at padding steps.
        y_pred: Potentials, `(batch, steps, tags, tags)`.
        sample_weight: A weight for each sequence, `(batch,)` or `(batch, 1)`.
            Defaults to 1. A sequence with weight 0 adds nothing.
        mask: Boolean tensor `(batch, steps)`, True at real steps. Defaults to
            the mask that `y_pred` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step is real. Padding is
            skipped, wherever it stands.
        Emits: none.
        Empty row: has loss 0, gradient 0 and no part in a mean.
        Padding values: affect neither the loss nor any gradient, even if NaN.

    The outputs of the layer carry what they are made of, and from that the loss
    and its gradient are computed: without a number for each pair of tags at
    each step, which compiled training then never makes. The gradient goes past
    the outputs, to the inputs and the weights of the layer. Potentials that
    were changed or stored, or a mask other than that of the layer, take longer.

    A path that `allowed` of the layer excludes has a loss of about 10,000 for
    each step that is not allowed.

    Returns:
        A scalar, or a tensor of shape `(batch,)` without a reduction.

    Raises:
        MaskShapeError: If `mask` or `y_true` does not fit `y_pred`.
        ValueError: If `y_pred` are no potentials, tags are not integers or,
            where their values are known, not below the number of tags; or if
            `sample_weight` has other axes.

    Example:

    >>> crf = keras_masking.layers.LinearChainCRF(2)
    >>> emissions = np.log([[[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]])
    >>> potentials = crf(emissions, mask=np.array([[True, False, True]]))
    >>> loss = keras_masking.losses.CRFLoss()
    >>> chance = keras.ops.exp(-loss(np.array([[0, -1, 1]]), potentials))
    >>> round(float(keras.ops.convert_to_numpy(chance)), 2)  # 0.9 * 0.9
    0.81
    """

    mask_targets = True

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "crf_loss",
        normalizer: float | None = None,
        synchronized: Synchronized = "auto",
    ) -> None:
        super().__init__(name, reduction, normalizer, synchronized)

    def weigh(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        factors = get_factors(y_pred, mask)
        y_true, y_pred, mask = self._read(y_true, y_pred, mask)
        if factors is None:
            return self._weigh(self.call, y_true, y_pred, mask, sample_weight)

        def function(y_true: Tensor, scores: Tensor, mask: Tensor) -> Tensor:
            transitions = ops.cast(factors.transitions, scores.dtype)
            return -factored_log_likelihood(y_true, scores, transitions, mask)

        scores = ops.cast(factors.scores, y_pred.dtype)
        return self._weigh(function, y_true, scores, mask, sample_weight)

    def call(self, y_true: Tensor, y_pred: Tensor, mask: Tensor) -> Tensor:
        return -unchecked_crf_log_likelihood(y_true, y_pred, mask)

    def _read(
        self, y_true: Tensor, y_pred: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        y_true, y_pred, mask = super()._read(y_true, y_pred, mask)
        check_potentials(self.caller, y_pred)
        if len(y_true.shape) == 3 and y_true.shape[-1] == 1:
            y_true = ops.squeeze(y_true, -1)
        check_classes(self.caller, y_true, y_pred.shape[-1], mask)
        return y_true, y_pred, mask
