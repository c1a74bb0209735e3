"""Metrics of whole sequences: error rates of labels, F1 of spans."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_masking._backends import new_axis
from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.crf import check_potentials
from keras_masking.ops.crf import unchecked_crf_decode
from keras_masking.ops.ctc import index_of_blank
from keras_masking.ops.ctc import real_labels
from keras_masking.ops.ctc import unchecked_ctc_greedy_decode
from keras_masking.ops.edits import edit_distance
from keras_masking.ops.known import check_classes
from keras_masking.ops.masks import both
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.order import unchecked_compact_steps
from keras_masking.ops.spans import count_spans
from keras_masking.ops.spans import read_labels
from keras_masking.ops.targets import Score
from keras_masking.ops.targets import read_sequences
from keras_masking.ops.targets import read_weights


class _Ratio(Score, keras.metrics.Metric):
    """A sum over a sum, of what each sequence adds to both."""

    kind = "metric"

    def __init__(self, name: str, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", "float32", name="total")
        self.count = self.add_variable((), "zeros", "float32", name="count")

    def _add(
        self, total: Tensor, count: Tensor, weights: Tensor | None
    ) -> None:
        """Adds integers `(batch,)`, times the weights of the rows."""
        if weights is not None:
            weights = read_weights(self.caller, weights, total)
            weights = ops.cast(weights, self.total.dtype)
        for variable, x in ((self.total, total), (self.count, count)):
            x = ops.cast(x, variable.dtype)
            variable.assign_add(ops.sum(x if weights is None else x * weights))

    def result(self) -> Tensor:
        return ops.cast(ops.divide_no_nan(self.total, self.count), self.dtype)


@export
class MaskedEditDistance(_Ratio):
    """The label error rate of a CTC model.

    The edits (a label replaced, inserted or deleted) that turn the decoded
    labels into the true ones, summed over all sequences and divided by the
    number of true labels. Known as word or phoneme error rate, by what the
    labels are. May be above 1.

    Args:
        blank: The class that means "no label", `"first"` or `"last"`, as in
            `MaskedCTC`. Defaults to `"first"`.
        name: Name of the metric. Defaults to `"edit_distance"`.
        dtype: Dtype of the result. Defaults to `keras.config.floatx()`.

    Call arguments:
        y_true: Labels, integers `(batch, labels)`; negative ones and the blank
            are padding.
        y_pred: Logits or probabilities, `(batch, steps, classes)`, which are
            decoded by `keras_masking.ops.ctc_greedy_decode`.
        sample_weight: A weight for each sequence, `(batch,)` or `(batch, 1)`.
            Defaults to 1.
        mask: Boolean tensor `(batch, steps)`, True at real steps. Defaults to
            the mask that `y_pred` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step is real, as for the
            training data in `fit` on JAX, see `MaskedMetric`.
        Emits: none.
        Empty row: adds nothing.
        Padding values: change nothing, even if NaN.

    Returns:
        A number; 0 if there was no label.

    Raises:
        MaskShapeError: If `mask` or `y_true` does not fit `y_pred`.
        ValueError: If `y_true` or `y_pred` has other axes, labels are not
            integers below the number of classes, or `blank` is neither.

    Example:

    >>> metric = keras_masking.metrics.MaskedEditDistance()
    >>> y_pred = np.eye(3)[[[1, 0, 2, 1]]]
    >>> mask = np.array([[True, True, True, False]])
    >>> metric.update_state(np.array([[1, 1, 2, -1]]), y_pred, mask=mask)
    >>> round(float(metric.result()), 2)  # a label of three is missing
    0.33
    """

    def __init__(
        self,
        blank: str = "first",
        name: str = "edit_distance",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        index_of_blank(self.caller, blank, 1)
        self.blank = blank
        self._direction = "down"

    def update_state(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        y_true, y_pred, mask = read_sequences(self.caller, y_true, y_pred, mask)
        if len(y_pred.shape) != 3:
            raise ValueError(
                describe(
                    self.caller,
                    "`y_pred` must be (batch, steps, classes).",
                    "Pass a score of each class for each step.",
                    **{"y_pred.shape": tuple(y_pred.shape)},
                )
            )
        classes = y_pred.shape[-1]
        check_classes(self.caller, y_true, classes)
        blank = index_of_blank(self.caller, self.blank, classes)
        found = unchecked_ctc_greedy_decode(y_pred, mask, blank)
        real = both(
            real_labels(y_true, blank), new_axis(has_real_step(mask), 1)
        )
        edits = edit_distance(y_true, real, found, found >= 0)
        self._add(
            edits, ops.sum(ops.cast(real, "int32"), axis=1), sample_weight
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "blank": self.blank}


@export
class SpanF1(_Ratio):
    """The F1 score of spans, such as names, in a tagged sequence.

    A span counts if its first step, its last step and its kind are right: the
    harmonic mean of precision and recall over all spans of all sequences.
    Spans are those of `conlleval` (and `seqeval`, not strict): one begins at
    `B-X` or `S-X`, and at an `I-X` or `E-X` after a tag of another kind or
    after the end of a span.

    Args:
        labels: The names of the tags in their order, such as `["O", "B-PER",
            "I-PER"]`, of BIO, BIOES or BILOU. A name without such a prefix
            is in no span.
        name: Name of the metric. Defaults to `"span_f1"`.
        dtype: Dtype of the result. Defaults to `keras.config.floatx()`.

    Call arguments:
        y_true: Tags, integers `(batch, steps)` or `(batch, steps, 1)`.
        y_pred: Potentials of a `LinearChainCRF`, `(batch, steps, tags, tags)`,
            which are decoded; scores `(batch, steps, tags)`, of which the
            largest counts; or tags, integers `(batch, steps)`.
        sample_weight: A weight for each sequence, `(batch,)` or `(batch, 1)`.
            Defaults to 1.
        mask: Boolean tensor `(batch, steps)`, True at real steps. Defaults to
            the mask that `y_pred` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Padding is skipped: a span goes on behind a
            hole. Without a mask every step is real, as for the training data
            in `fit` on JAX, see `MaskedMetric`.
        Emits: none.
        Empty row: adds nothing.
        Padding values: change nothing, even if NaN.

    Returns:
        A number from 0 to 1; 0 if there was no span at all.

    Raises:
        MaskShapeError: If `mask` or `y_true` does not fit `y_pred`.
        ValueError: If there are no spans in `labels`, `y_pred` has none of
            these shapes, or tags are not integers below the number of labels.

    Example:

    >>> metric = keras_masking.metrics.SpanF1(["O", "B-X", "I-X"])
    >>> y_true, y_pred = np.array([[1, 2, 0, 1]]), np.array([[1, 2, 0, 0]])
    >>> metric.update_state(y_true, y_pred)
    >>> round(float(metric.result()), 2)  # 2 * 1 / (2 + 1)
    0.67
    """

    def __init__(
        self, labels: Sequence[str], name: str = "span_f1", dtype: Any = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.labels = list(labels)
        self._read_labels = read_labels(self.labels)
        if not self._read_labels[0].any():
            raise ValueError(
                describe(
                    self.caller,
                    "`labels` must have tags of spans, such as `B-PER`.",
                    "Pass the names of the tags in their order.",
                    labels=self.labels,
                )
            )
        self._direction = "up"

    def update_state(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        sample_weight: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> None:
        y_true, y_pred, mask = read_sequences(self.caller, y_true, y_pred, mask)
        if len(y_true.shape) == 3 and y_true.shape[-1] == 1:
            y_true = ops.squeeze(y_true, -1)
        number = len(self.labels)
        check_classes(self.caller, y_true, number, mask)
        found = self._tags(y_pred, mask)
        (true, front), (found, _) = (
            unchecked_compact_steps(
                ops.cast(fill_padding(x, mask), "int32"), mask
            )
            for x in (y_true, found)
        )
        same, ours, others = count_spans(true, found, front, self._read_labels)
        self._add(2 * same, ours + others, sample_weight)

    def _tags(self, y_pred: Tensor, mask: Tensor) -> Tensor:
        ndim, number = len(y_pred.shape), len(self.labels)
        if ndim == 2:
            check_classes(self.caller, y_pred, number, mask)
            return y_pred
        if ndim not in (3, 4) or y_pred.shape[-1] != number:
            raise ValueError(
                describe(
                    self.caller,
                    f"`y_pred` must be (batch, steps), (batch, steps, {number})"
                    f" or (batch, steps, {number}, {number}).",
                    "Pass tags, scores of tags, or outputs of a "
                    "`LinearChainCRF`, with a tag for each label.",
                    **{"y_pred.shape": tuple(y_pred.shape)},
                    labels=number,
                )
            )
        if ndim == 3:
            return ops.argmax(fill_padding(y_pred, mask), axis=-1)
        check_potentials(self.caller, y_pred)
        return unchecked_crf_decode(y_pred, mask)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "labels": self.labels}
