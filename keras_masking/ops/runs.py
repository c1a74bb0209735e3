"""Runs of real steps: the sequences of a packed row, by the mask alone."""

from keras import ops

from keras_masking._types import Tensor
from keras_masking.ops.masks import both
from keras_masking.ops.masks import count_steps
from keras_masking.ops.masks import opposite
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.masks import unchecked_position_ids
from keras_masking.ops.reading import read_mask
from keras_masking.ops.steps import gather_steps


def segment_ids(mask: Tensor) -> Tensor:
    """Numbers the sequences that stand in a row, parted by padding.

    One step of padding is enough to part two sequences.

    Args:
        mask: Tensor of shape `(batch, steps)`, True at real steps.

    Returns:
        int32 tensor of shape `(batch, steps)`: 1 at the steps of the first run
        of real steps of the row, 2 at those of the next, and so on; 0 at
        padding steps.

    Example:

    >>> mask = np.array([[1, 1, 0, 1, 1], [0, 1, 0, 0, 1]])
    >>> keras.ops.convert_to_numpy(keras_masking.ops.segment_ids(mask))
    array([[1, 1, 0, 2, 2],
           [0, 1, 0, 0, 2]], dtype=int32)
    """
    return unchecked_segment_ids(read_mask("segment_ids", mask))


def unchecked_segment_ids(mask: Tensor) -> Tensor:
    starts = ops.cumsum(ops.cast(run_starts(mask), "int32"), axis=1)
    return ops.where(mask, starts, 0)


def position_ids(mask: Tensor, packed: bool = False) -> Tensor:
    """Numbers the real steps of each row from 0, skipping padding.

    The number does not depend on padding before the step, on the left or in
    holes, so a position embedding should use it as index.

    Args:
        mask: Tensor of shape `(batch, steps)`, True at real steps.
        packed: Whether rows are packed: after padding a new sequence begins,
            which is numbered from 0. Defaults to False.

    Returns:
        int32 tensor of shape `(batch, steps)`: 0, 1, 2, ... at real steps, and
        0 at padding steps.

    Example:

    >>> mask = np.array([[0, 0, 1, 1], [1, 0, 1, 1]])
    >>> keras.ops.convert_to_numpy(keras_masking.ops.position_ids(mask))
    array([[0, 0, 0, 1],
           [0, 0, 1, 2]], dtype=int32)
    >>> positions = keras_masking.ops.position_ids(mask, packed=True)
    >>> keras.ops.convert_to_numpy(positions)
    array([[0, 0, 0, 1],
           [0, 0, 0, 1]], dtype=int32)
    """
    mask = read_mask("position_ids", mask)
    return positions_in_runs(mask) if packed else unchecked_position_ids(mask)


def positions_in_runs(mask: Tensor) -> Tensor:
    """The number of each real step in its run, from 0; 0 at padding."""
    return columns(mask) - run_bound(mask, run_starts(mask))


def run_starts(mask: Tensor) -> Tensor:
    """Which steps are the first of their run."""
    before = ops.concatenate(
        [ops.zeros_like(mask[:, :1]), mask[:, :-1]], axis=1
    )
    return both(mask, opposite(before))


def run_ends(mask: Tensor) -> Tensor:
    """Which steps are the last of their run."""
    after = ops.concatenate([mask[:, 1:], ops.zeros_like(mask[:, :1])], axis=1)
    return both(mask, opposite(after))


def count_runs(mask: Tensor) -> Tensor:
    """The number of runs of each row, as int32."""
    return count_steps(run_starts(mask))


def run_bound(mask: Tensor, bounds: Tensor) -> Tensor:
    """The column of the bound of each step's run; at padding its own column.

    Args:
        mask: Checked mask, `(batch, steps)`.
        bounds: `run_starts(mask)` or `run_ends(mask)`.
    """
    own = columns(mask)
    if 0 in mask.shape:
        return own
    # Sorted, bound k stands at k; other columns come after.
    after = ops.shape(mask)[1]
    ordered = ops.sort(ops.where(bounds, own, own + after), axis=1)
    run = ops.maximum(unchecked_segment_ids(mask) - 1, 0)
    bound = ops.reshape(gather_steps(ordered, run), ops.shape(mask))
    return ops.where(mask, bound, own)


def columns(mask: Tensor) -> Tensor:
    """The column of each step, real or not, `(batch, steps)`."""
    return unchecked_position_ids(unchecked_full_mask(mask))
