"""CTC under a mask: the loss of labels, and decoding."""

from typing import Any

from keras import ops

from keras_masking._arguments import check_integer
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.dtypes import upcast_half
from keras_masking.ops.masks import both
from keras_masking.ops.masks import count_steps
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.order import unchecked_compact_steps
from keras_masking.ops.reading import check_mask


def index_of_blank(caller: str, blank: Any, classes: int) -> int:
    """The class of the blank, which is `"first"` or `"last"`."""
    if blank not in ("first", "last"):
        raise ValueError(
            describe(
                caller,
                '`blank` must be "first" or "last".',
                "Move the class of the blank to an end of the classes.",
                blank=repr(blank),
            )
        )
    return 0 if blank == "first" else classes - 1


def real_labels(labels: Tensor, blank: int) -> Tensor:
    """True where a label is no padding: neither negative nor the blank."""
    return both(labels >= 0, ops.not_equal(labels, blank))


def ctc_loss(
    labels: Tensor, logits: Tensor, mask: Tensor | None, blank: int
) -> Tensor:
    """The negative log-likelihood of each row; 0 without an alignment."""
    logits, front = unchecked_compact_steps(logits, mask)
    labels = ops.cast(labels, "int32")
    labels, real = unchecked_compact_steps(labels, real_labels(labels, blank))
    steps, count = count_steps(front), count_steps(real)
    # Two equal neighbors need a blank between them.
    repeats = both(ops.equal(labels[:, 1:], labels[:, :-1]), real[:, 1:])
    legal = count + ops.sum(ops.cast(repeats, "int32"), axis=1) <= steps
    # Without an alignment backends answer differently: no label always has one.
    count = ops.where(legal, count, ops.zeros_like(count))
    if labels.shape[1] == 0:
        labels = ops.full_like(logits[:, :1, 0], blank, dtype="int32")
    # TensorFlow lets a path end in padding labels at a price, 707. Blanks there
    # gain it nothing.
    labels = ops.where(real_labels(labels, blank), labels, blank)
    loss = ops.ctc_loss(labels, logits, count, steps, mask_index=blank)
    return fill_padding(loss, legal)


def ctc_greedy_decode(
    logits: Tensor, mask: Tensor | None = None, blank: str = "first"
) -> Tensor:
    """The labels of the most likely class of each step.

    Of equal classes in a row one is kept, and blanks are removed. That is the
    most likely alignment, though not always the most likely labels.

    Args:
        logits: Scores of the classes, `(batch, steps, classes)`, the blank
            among them.
        mask: True at real steps, `(batch, steps)`. Defaults to all real. Holes
            are left out: the steps around them are neighbors.
        blank: The class of the blank, `"first"` or `"last"`. Defaults to
            `"first"`.

    Returns:
        int32 tensor `(batch, steps)`: the labels, then -1.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `logits` has not three axes, or `blank` is neither.

    Example:

    >>> best = np.array([[1, 1, 0, 1, 2]])
    >>> labels = keras_masking.ops.ctc_greedy_decode(
    ...     np.eye(3, dtype="float32")[best], np.array([[1, 1, 1, 1, 0]])
    ... )
    >>> keras.ops.convert_to_numpy(labels)
    array([[ 1,  1, -1, -1, -1]], dtype=int32)
    """
    return unchecked_ctc_greedy_decode(
        *_read("`ctc_greedy_decode`", logits, mask, blank)
    )


def ctc_beam_decode(
    logits: Tensor,
    mask: Tensor | None = None,
    blank: str = "first",
    beam_width: int = 100,
) -> Tensor:
    """The most likely labels of each sequence, by a search along a beam.

    Their probability is the sum over all alignments, of which at each step only
    the `beam_width` best beginnings go on. Runs `keras.ops.ctc_decode`, on
    PyTorch row by row and since Keras 3.15.

    Args:
        logits: Scores of the classes, `(batch, steps, classes)`, the blank
            among them; logits, not probabilities.
        mask: True at real steps, `(batch, steps)`. Defaults to all real. Holes
            are left out: the steps around them are neighbors.
        blank: The class of the blank, `"first"` or `"last"`. Defaults to
            `"first"`.
        beam_width: How many beginnings go on. Defaults to 100.

    Returns:
        int32 tensor `(batch, steps)`: the labels, then -1.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `logits` has not three axes, `blank` is neither, or
            `beam_width` is not a positive integer.

    Example:

    >>> chances = np.array([[[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]]])
    >>> logits, mask = np.log(chances + 1e-9), np.array([[1, 1, 0]])
    >>> def decoded(function):
    ...     labels = function(logits.astype("float32"), mask)
    ...     return keras.ops.convert_to_numpy(labels).tolist()
    >>> decoded(keras_masking.ops.ctc_beam_decode)  # 1 - 0.6 * 0.6 = 0.64
    [[1, -1, -1]]
    >>> decoded(keras_masking.ops.ctc_greedy_decode)  # 0.6 * 0.6 = 0.36
    [[-1, -1, -1]]
    """
    caller = "`ctc_beam_decode`"
    width = check_integer(caller, "beam_width", beam_width, 1)
    logits, mask, index = _read(caller, logits, mask, blank)
    if 0 in logits.shape:
        return ops.full(ops.shape(mask), -1, dtype="int32")
    logits, front = unchecked_compact_steps(upcast_half(logits), mask)
    lengths = count_steps(front)
    # An empty row is decoded as one step, and then left out.
    labels, _ = ops.ctc_decode(
        logits,
        ops.maximum(lengths, 1),
        strategy="beam_search",
        beam_width=width,
        mask_index=index,
    )
    labels = ops.reshape(ops.cast(labels[0], "int32"), ops.shape(mask))
    return fill_padding(labels, lengths > 0, -1)


def _read(
    caller: str, logits: Tensor, mask: Tensor | None, blank: str
) -> tuple[Tensor, Tensor, int]:
    """What is decoded, its mask, and the class of the blank."""
    logits = ops.convert_to_tensor(logits)
    if len(logits.shape) != 3:
        raise ValueError(
            describe(
                caller,
                "`logits` must be (batch, steps, classes).",
                "Pass a score of each class for each step.",
                **{"logits.shape": tuple(logits.shape)},
            )
        )
    if mask is None:
        mask = unchecked_full_mask(logits)
    else:
        mask = check_mask(mask, logits, caller)
    return logits, mask, index_of_blank(caller, blank, logits.shape[-1])


def unchecked_ctc_greedy_decode(
    logits: Tensor, mask: Tensor, blank: int
) -> Tensor:
    # A NaN at padding is not compared.
    best = ops.argmax(fill_padding(logits, mask), axis=-1)
    best, front = unchecked_compact_steps(ops.cast(best, "int32"), mask)
    before = ops.concatenate(
        [ops.full_like(best[:, :1], -1), best[:, :-1]], axis=1
    )
    kept = both(front, ops.not_equal(best, before))
    kept = both(kept, ops.not_equal(best, blank))
    labels, front = unchecked_compact_steps(best, kept)
    return fill_padding(labels, front, -1)
