"""Edit distances between sequences of different lengths."""

from typing import Any

from keras import ops

from keras_masking._backends import new_axis
from keras_masking._types import Tensor
from keras_masking.ops.loops import scan
from keras_masking.ops.masks import count_steps
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.masks import unchecked_position_ids
from keras_masking.ops.order import unchecked_compact_steps


def edit_distance(
    true: Tensor, real: Tensor, other: Tensor, other_real: Tensor
) -> Tensor:
    """How many symbols differ: replaced, inserted or deleted.

    Levenshtein (1966), row by row of the table; a row at once, by a minimum
    over all places where the insertions may begin.

    Args:
        true: Integers `(batch, labels)`.
        real: Which of them are symbols, booleans of the same shape.
        other: Integers `(batch, steps)`.
        other_real: Which of them are symbols.

    Returns:
        int32 tensor `(batch,)`.
    """
    true, front = unchecked_compact_steps(ops.cast(true, "int32"), real)
    width = ops.concatenate([front[:, :1], front], axis=1)
    columns = unchecked_position_ids(unchecked_full_mask(width))
    # Insertions from column k to column j cost j - k.
    inserted = new_axis(columns, 1) - new_axis(columns, 2)
    inserted = ops.where(inserted < 0, 2**30, inserted)

    def step(row: Tensor, given: Any) -> tuple[Tensor, Tensor]:
        symbol, counts = given
        differs = ops.cast(ops.not_equal(true, new_axis(symbol, 1)), "int32")
        best = ops.minimum(row[:, 1:] + 1, row[:, :-1] + differs)
        best = ops.concatenate([row[:, :1] + 1, best], axis=1)
        best = ops.min(new_axis(best, 2) + inserted, axis=1)
        row = ops.where(new_axis(counts, 1), best, row)
        return row, row

    given = ops.transpose(ops.cast(other, "int32")), ops.transpose(other_real)
    row, _ = scan(step, columns, given)
    last = new_axis(count_steps(front), 1)
    return ops.take_along_axis(row, last, axis=1)[:, 0]
