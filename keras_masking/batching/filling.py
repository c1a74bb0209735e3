"""Empty rows: all padding, with weight 0."""

from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import tree

from keras_masking._arguments import check_integer
from keras_masking.batching.counts import Mask
from keras_masking.batching.counts import check_masks
from keras_masking.batching.counts import for_each_output
from keras_masking.batching.counts import masked_input
from keras_masking.batching.rows import padding_rows
from keras_masking.batching.sources import Batch
from keras_masking.batching.sources import rewritten
from keras_masking.batching.sources import rows_of
from keras_masking.errors import describe


def fill_rows(
    batches: Iterable[Any],
    multiple_of: int = 8,
    *,
    mask: Any = "ids",
    pad_value: float = 0,
) -> Any:
    """Fills batches with empty rows, so that devices can divide them.

    JAX raises an error if the devices do not divide the rows of a batch, which
    is what the last batch of an epoch usually does. An empty row is all padding
    and has weight 0. Our layers, losses and metrics define it, and it changes
    nothing: a mean over real steps does not count it. A mean over rows does,
    since Keras counts rows of weight 0: there use the reduction
    `"mean_with_sample_weight"` and `weighted_metrics`.

    Args:
        batches: Batches `x`, `(x, y)` or `(x, y, sample_weight)`: a
            `keras.utils.PyDataset`, a generator, a `tf.data.Dataset`, a PyTorch
            `DataLoader`, or a list. `x`, `y` and the weights are arrays, or
            lists or dicts of arrays.
        multiple_of: The number of rows becomes a multiple of it, for example
            the number of devices. Defaults to 8.
        mask: How the model gets its mask, as in `split_weights`. With
            `"lengths"` the lengths of empty rows are 0. With None the weights
            have shape `(batch,)`.
        pad_value: The value of ids in empty rows, and of features with
            `mask="ids"`. Other features are 0, masks False. Defaults to 0.

    Returns:
        Batches of NumPy arrays, `(x, y, sample_weight)`, or `x` where there are
        no targets: a `PyDataset` if `batches` has a length, else a generator.
        The weights are float32, `(batch, steps)` or `(batch,)`: those of the
        batches, or 1, and 0 in empty rows.

    Raises:
        ValueError: If `multiple_of` is not an integer of at least 1, or a batch
            does not consist of arrays with equally many rows.

    Example:

    >>> ids, targets = np.array([[3, 1], [2, 0], [4, 4]]), np.zeros((3, 2, 1))
    >>> filled = keras_masking.batching.fill_rows([(ids, targets)], 4)
    >>> x, y, weights = filled[0]
    >>> x.tolist(), weights[:, 0].tolist()
    ([[3, 1], [2, 0], [4, 4], [0, 0]], [1.0, 1.0, 1.0, 0.0])
    """
    caller = "fill_rows"
    multiple = check_integer(caller, "multiple_of", multiple_of)
    check_masks(caller, mask)

    def rewrite(read: Iterator[Batch]) -> Iterator[Any]:
        for batch in read:
            missing = -rows_of(caller, batch) % multiple
            if batch.y is not None:
                batch = with_weights(caller, batch, mask)
            batch = with_empty_rows(caller, batch, missing, mask, pad_value)
            yield batch.x if batch.y is None else tuple(batch)

    return rewritten(caller, batches, rewrite)


def with_weights(caller: str, batch: Batch, mask: Any) -> Batch:
    """A batch with a float32 weight for each step, or for each row.

    Those that it has are expanded to steps where the loss is one for each step,
    since Keras' losses misread a weight for each row there.
    """
    outputs = for_each_output(caller, mask, batch.y)
    given = batch.weights
    if tree.is_nested(given):
        parts = tree.flatten(given)
    else:  # Keras weights all outputs by it
        parts = [given] * len(outputs)
    if len(parts) != len(outputs):
        raise ValueError(
            describe(
                caller,
                "there must be weights for each output.",
                "Pass ones where an output needs no weights.",
                sample_weights=len(parts),
                outputs=len(outputs),
            )
        )
    weights = [
        _full_weights(caller, one, y, w)
        for (one, y), w in zip(outputs, parts, strict=True)
    ]
    return batch._replace(weights=tree.pack_sequence_as(batch.y, weights))


def _full_weights(
    caller: str, mask: Mask, y: np.ndarray, given: np.ndarray | None
) -> np.ndarray:
    axes = 1 if mask is None else 2
    if y.ndim < axes:
        raise ValueError(
            describe(
                caller,
                "targets must have an axis of steps, (batch, steps, ...).",
                "Pass `mask=None` where the loss has a number for each row.",
                **{"y.shape": y.shape},
            )
        )
    weights = np.ones((), "float32") if given is None else given
    weights = weights.astype("float32")
    while weights.ndim > axes and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if weights.ndim and weights.ndim < axes:
        weights = weights[:, None]
    try:
        return np.broadcast_to(weights, y.shape[:axes]).copy()
    except ValueError:
        raise ValueError(
            describe(
                caller,
                "`sample_weight` must be (batch,), a weight for each row, or "
                "(batch, steps), a weight for each step.",
                "Its axes must be the first axes of `y`.",
                **{"sample_weight.shape": weights.shape, "y.shape": y.shape},
            )
        ) from None


def with_empty_rows(
    caller: str, batch: Batch, rows: int, mask: Any, pad_value: float
) -> Batch:
    """A batch with that many empty rows more at its end."""
    if not rows:
        return batch
    masks = {one for one in tree.flatten(mask) if isinstance(one, str)}
    zeros, padded = set(), set()
    if "lengths" in masks:
        zeros.add(id(masked_input(caller, "lengths", batch.x)))
    if "ids" in masks:
        padded.add(id(masked_input(caller, "ids", batch.x)))

    def zero(x: Any, value: float = 0) -> Any:
        if x is None:
            return None
        more = padding_rows(rows, x.shape[1:], x.dtype, value)
        return np.concatenate([x, more])

    def fill(x: Any) -> Any:
        whole = x is not None and x.dtype.kind in "iu" and id(x) not in zeros
        return zero(x, pad_value if whole or id(x) in padded else 0)

    return Batch(
        tree.map_structure(fill, batch.x),
        tree.map_structure(zero, batch.y),
        tree.map_structure(zero, batch.weights),
    )
