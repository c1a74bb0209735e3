"""Reordering of real steps: reversed, moved to the front, packed."""

from collections.abc import Sequence

from keras import ops

from keras_masking._backends import new_axis
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.ops.known import differ
from keras_masking.ops.masks import count_steps
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.masks import unchecked_position_ids
from keras_masking.ops.reading import read_steps
from keras_masking.ops.runs import columns
from keras_masking.ops.runs import run_bound
from keras_masking.ops.runs import run_ends
from keras_masking.ops.runs import run_starts
from keras_masking.ops.steps import gather_steps


def reverse_steps(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Reverses the order of the real steps of each row.

    The last real step moves to the place of the first one, and so on. Padding
    before, between or after them stays in place, so the mask does not change.

    Args:
        x: Tensor, `(batch, steps, ...)`, of any dtype.
        mask: True at real steps, `(batch, steps)`. Defaults to all real.

    Returns:
        Tensor of the shape and dtype of `x`; 0 at padding steps.

    Example:

    >>> x = np.array([[1, 2, 3, 9]])
    >>> y = keras_masking.ops.reverse_steps(x, np.array([[1, 1, 1, 0]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[3, 2, 1, 0]]
    """
    return unchecked_reverse_steps(*read_steps("reverse_steps", x, mask))


def unchecked_reverse_steps(x: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return ops.flip(x, axis=1)
    last = new_axis(count_steps(mask), 1) - 1
    opposite = ops.maximum(last - unchecked_position_ids(mask), 0)
    index = _reordered(_real_first(mask), opposite)
    return fill_padding(_reordered(x, index), mask)


def reverse_runs(x: Tensor, mask: Tensor) -> Tensor:
    """`x` with the steps of each run of `mask` reversed, and 0 at padding."""
    first = run_bound(mask, run_starts(mask))
    last = run_bound(mask, run_ends(mask))
    return fill_padding(_reordered(x, first + last - columns(mask)), mask)


def compact_steps(
    x: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Moves the real steps of each row to its front, in order.

    Holes and padding on the left become padding on the right.

    Args:
        x: Tensor, `(batch, steps, ...)`, of any dtype.
        mask: True at real steps, `(batch, steps)`. Defaults to all real.

    Returns:
        Tensor of the shape and dtype of `x`, 0 at padding steps, and its
        boolean mask, `(batch, steps)`.

    Example:

    >>> x = np.array([[9, 1, 9, 2]])
    >>> y, mask = keras_masking.ops.compact_steps(x, np.array([[0, 1, 0, 1]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[1, 2, 0, 0]]
    >>> keras.ops.convert_to_numpy(mask).tolist()
    [[True, True, False, False]]
    """
    return unchecked_compact_steps(*read_steps("compact_steps", x, mask))


def unchecked_compact_steps(
    x: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    if mask is None:
        return x, unchecked_full_mask(x)
    front = compact_mask(mask)
    return fill_padding(_reordered(x, _real_first(mask)), front), front


def unchecked_spread_steps(x: Tensor, mask: Tensor) -> Tensor:
    """The inverse of `unchecked_compact_steps`, with any padding."""
    return _reordered(x, unchecked_position_ids(mask))


def compact_mask(mask: Tensor) -> Tensor:
    """The mask of what `compact_steps` returns."""
    lengths = new_axis(count_steps(mask), 1)
    return unchecked_position_ids(unchecked_full_mask(mask)) < lengths


def pack_steps(
    tensors: Sequence[Tensor], masks: Sequence[Tensor | None] | None = None
) -> tuple[Tensor, Tensor]:
    """Joins sequences so that their real steps are contiguous.

    In each row: the real steps of the first tensor, those of the second, and so
    on, then padding.

    Args:
        tensors: Tensors, `(batch, steps, ...)`; steps may differ.
        masks: A mask for each tensor, or None if all its steps are real.
            Defaults to all real.

    Returns:
        Tensor with all their steps, 0 at padding steps, and its boolean mask,
        `(batch, steps)`.

    Example:

    >>> a, b = np.array([[1, 2, 9]]), np.array([[3, 9]])
    >>> masks = [np.array([[1, 1, 0]]), np.array([[1, 0]])]
    >>> y, mask = keras_masking.ops.pack_steps([a, b], masks)
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[1, 2, 3, 0, 0]]
    """
    listed = isinstance(tensors, (list, tuple))
    if masks is None:
        masks = [None] * len(tensors)
    if not listed or not tensors or len(masks) != len(tensors):
        raise ValueError(
            describe(
                "`pack_steps`",
                "there must be a list of tensors, and a mask for each tensor.",
                "Pass None for a tensor without a mask.",
                tensors=len(tensors) if listed else type(tensors).__name__,
                masks=len(masks),
            )
        )
    pairs = [read_steps("pack_steps", x, m) for x, m in zip(tensors, masks)]
    check_joinable("`pack_steps`", [x.shape for x, _ in pairs])
    return unchecked_pack_steps(pairs)


def unchecked_pack_steps(
    pairs: Sequence[tuple[Tensor, Tensor | None]],
) -> tuple[Tensor, Tensor]:
    joined = ops.concatenate([x for x, _ in pairs], axis=1)
    if all(mask is None for _, mask in pairs):
        return joined, unchecked_full_mask(joined)
    return unchecked_compact_steps(joined, join_masks(pairs))


def join_masks(pairs: Sequence[tuple[Tensor, Tensor | None]]) -> Tensor:
    """The concatenated masks of tensors; all True for a tensor without one."""
    masks = [
        unchecked_full_mask(x) if mask is None else mask for x, mask in pairs
    ]
    return ops.concatenate(masks, axis=1)


def check_joinable(caller: str, shapes: Sequence[Shape]) -> None:
    """Rejects tensors that differ in more than their number of steps."""
    first = shapes[0]
    for shape in shapes:
        pairs = [*zip(shape[:1], first[:1]), *zip(shape[2:], first[2:])]
        unlike = any(differ(*pair) for pair in pairs)
        if unlike or len(shape) != len(first):
            raise ValueError(
                describe(
                    caller,
                    "tensors must be (batch, steps, ...) and may differ only "
                    "in their number of steps.",
                    "First make their features equally wide, for example with "
                    "`keras.layers.Dense`.",
                    shapes=[tuple(shape) for shape in shapes],
                )
            )


def _real_first(mask: Tensor) -> Tensor:
    """The columns of each row's real steps, then the other columns."""
    everywhere = unchecked_full_mask(mask)
    columns, steps = unchecked_position_ids(everywhere), count_steps(everywhere)
    # Sorted numbers, which say their column themselves: PyTorch's exporter to
    # ONNX knows no `argsort`.
    steps = new_axis(steps, 1)
    ordered = ops.sort(ops.where(mask, columns, columns + steps), axis=1)
    return ops.where(ordered < steps, ordered, ordered - steps)


def _reordered(x: Tensor, index: Tensor) -> Tensor:
    if 0 in x.shape:
        return x
    return ops.reshape(gather_steps(x, index), ops.shape(x))
