"""CTC under a mask: the loss of labels, and decoding."""

from typing import Any

from keras import ops

from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.masks import both
from keras_masking.ops.masks import count_steps
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.order import unchecked_compact_steps


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
    labels: Tensor, logits: Tensor, mask: Tensor, blank: int
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
