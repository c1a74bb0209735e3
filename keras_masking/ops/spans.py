"""Spans of tags: where each begins and ends, and how many two paths share."""

from collections.abc import Sequence

import numpy as np
from keras import ops

from keras_masking._types import Tensor
from keras_masking.ops.masks import both
from keras_masking.ops.masks import either
from keras_masking.ops.masks import opposite
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.masks import unchecked_position_ids
from keras_masking.ops.schemes import LAST
from keras_masking.ops.schemes import SINGLE
from keras_masking.ops.schemes import split_label
from keras_masking.ops.steps import gather_steps


def read_labels(
    labels: Sequence[str],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The kind of span of each tag, 0 for none, and which begin and end one."""
    parts = [split_label(label) for label in labels]
    kinds = sorted({kind for prefix, kind in parts if prefix})
    of_tags = [kinds.index(kind) + 1 if prefix else 0 for prefix, kind in parts]
    begins = [prefix in ("B", *SINGLE) for prefix, _ in parts]
    ends = [prefix in (*LAST, *SINGLE) for prefix, _ in parts]
    return np.array(of_tags, "int32"), np.array(begins), np.array(ends)


def count_spans(
    true: Tensor,
    predicted: Tensor,
    real: Tensor,
    read: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[Tensor, Tensor, Tensor]:
    """For each row: the spans that agree, the true and the predicted ones.

    All int32, `(batch,)`. Two spans agree if they have the same steps and kind.
    Steps that are not real must come last. `read` is of `read_labels`.
    """
    ours, kind = _bounds(true, real, read)
    others, other_kind = _bounds(predicted, real, read)
    same = both(ops.equal(kind, other_kind), both(ours[1], others[1]))
    same = both(same, ops.equal(_last(ours[0]), _last(others[0])))
    return _count(same), _count(ours[0]), _count(others[0])


def _bounds(
    tags: Tensor,
    real: Tensor,
    read: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Which steps begin and end a span, and the kind of span of each step.

    As `conlleval` counts: `I-X` and `E-X` begin a span if the tag before them
    is of another kind, or ends its span.
    """
    kind, begins, ends = (
        ops.take(ops.convert_to_tensor(x), tags) for x in read
    )
    kind = ops.where(real, kind, 0)
    nothing = ops.zeros_like(kind[:, :1])
    before = ops.concatenate([nothing, kind[:, :-1]], axis=1)
    inside = kind > 0
    none = ops.zeros_like(inside[:, :1])
    ended = ops.concatenate([none, ends[:, :-1]], axis=1)
    other = either(ended, ops.not_equal(kind, before))
    starts = both(inside, either(begins, other))
    starts_next = ops.concatenate([starts[:, 1:], none], axis=1)
    inside_next = ops.concatenate([inside[:, 1:], none], axis=1)
    ends = both(inside, either(starts_next, opposite(inside_next)))
    return (starts, ends), kind


def _last(starts: Tensor) -> Tensor:
    """The column of the last start up to each step."""
    own = unchecked_position_ids(unchecked_full_mask(starts))
    after = ops.shape(starts)[1]
    ordered = ops.sort(ops.where(starts, own, own + after), axis=1)
    number = ops.cumsum(ops.cast(starts, "int32"), axis=1)
    found = gather_steps(ordered, ops.maximum(number - 1, 0))
    return ops.reshape(found, ops.shape(own))


def _count(steps: Tensor) -> Tensor:
    return ops.sum(ops.cast(steps, "int32"), axis=1)
