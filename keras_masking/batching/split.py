"""Weights that make the mean over a split batch the mean over the whole."""

from collections.abc import Iterable
from collections.abc import Iterator
from itertools import islice
from typing import Any
from typing import NamedTuple

import numpy as np
from keras import tree

from keras_masking._arguments import check_integer
from keras_masking.batching.counts import check_masks
from keras_masking.batching.counts import count_steps
from keras_masking.batching.counts import for_each_output
from keras_masking.batching.filling import with_empty_rows
from keras_masking.batching.filling import with_weights
from keras_masking.batching.sources import Batch
from keras_masking.batching.sources import rewritten
from keras_masking.batching.sources import rows_of
from keras_masking.errors import describe

CALLER = "split_weights"


def split_weights(
    batches: Iterable[Any],
    accumulate: int = 1,
    replicas: int = 1,
    *,
    mask: Any = "ids",
    pad_value: float = 0,
    shard: int | None = None,
) -> Any:
    """Weights batches so that the mean of their means is the mean of all.

    A masked loss is a mean over the real steps of a micro-batch. An optimizer
    with `gradient_accumulation_steps` averages these means, and so do replicas:
    a real step of a micro-batch with few of them weighs more than the others.
    Here a micro-batch with `n` of the `N` real steps of its window gets the
    weight `n * accumulate / N`, which makes the mean of the means the mean over
    all real steps of the window, with any optimizer and on every backend.

    The loss must be a mean, the reduction `"sum_over_batch_size"`: Keras' own
    or `MaskedLoss`. It must see the mask. Metrics must not see these weights:
    pass them to `compile` as `metrics`, not as `weighted_metrics`. The loss
    that `fit` reports is that of the windows, if all micro-batches have equally
    many rows.

    Args:
        batches: Micro-batches `(x, y)` or `(x, y, sample_weight)`: a
            `keras.utils.PyDataset`, a generator, a `tf.data.Dataset`, a PyTorch
            `DataLoader`, or a list. `x`, `y` and the weights are arrays, or
            lists or dicts of arrays. Weights that are there are multiplied.
        accumulate: Micro-batches in a window: the optimizer's
            `gradient_accumulation_steps`. Defaults to 1.
        replicas: Replicas that each micro-batch is cut into. Leave it at 1 for
            a `MaskedLoss` that is synchronized, and on JAX: these count over
            all replicas themselves. For Keras' losses pass the replicas of the
            strategy, or the processes. Replicas get equally many consecutive
            rows, `ceil(rows / replicas)`, the last ones fewer or none, as
            `tf.distribute.MirroredStrategy` cuts a batch. Defaults to 1.
        mask: Where the mask is that the loss counts by. `"ids"`: `x` or its
            input `"ids"`, whose padding steps are `pad_value`, in all features
            if it is floats `(batch, steps, features)`. `"lengths"`: the input
            `"lengths"`, `(batch,)`. `"mask"`: the input `"mask"`, `(batch,
            steps)`, True at real steps. In a list of inputs, ids are first,
            lengths and masks last. Or a function of `x` and `y` that returns
            the mask, for example `lambda x, y: y != -1`. None: the loss has a
            number for each row, and counts rows. A list or dict has one for
            each output. Defaults to `"ids"`.
        pad_value: The value of padding in ids. Defaults to 0.
        shard: Index of the replica whose rows are handed out, filled with empty
            rows to the number of rows of the others. Each process of
            `torch.distributed` reads the same batches and passes its rank.
            Defaults to None: all rows.

    Returns:
        Batches of NumPy arrays `(x, y, sample_weight)`: a `PyDataset` if
        `batches` has a length, else a generator. The weights are float32,
        `(batch, steps)`, or `(batch,)` with the mask None. If the last window
        of an epoch is not complete, micro-batches of empty rows with weight 0
        complete it: Keras would fill it with batches of the next epoch. With
        `accumulate` above 1, `fit` needs `shuffle=False`, and `steps_per_epoch`
        must be a multiple of `accumulate`.

    Raises:
        ValueError: If `accumulate` or `replicas` is not an integer of at least
            1, `shard` is not one of the replicas, a batch has no targets, the
            mask is not found or cannot be counted, or batches are not read in
            order.

    Example:

    >>> ids = np.array([[1, 0, 0, 0], [2, 5, 3, 1]])
    >>> targets = np.zeros((2, 4, 1))
    >>> batches = [(ids[:1], targets[:1]), (ids[1:], targets[1:])]
    >>> for x, y, weights in keras_masking.batching.split_weights(batches, 2):
    ...     print(weights[0, 0])
    0.4
    1.6
    """
    accumulate = check_integer(CALLER, "accumulate", accumulate)
    replicas = check_integer(CALLER, "replicas", replicas)
    check_masks(CALLER, mask)
    if shard is not None and shard not in range(replicas):
        raise ValueError(
            describe(
                CALLER,
                "`shard` must be the index of one of the replicas.",
                "Pass the rank of the process, and `replicas`, their number.",
                shard=shard,
                replicas=replicas,
            )
        )

    split = _Split(accumulate, replicas, mask, pad_value, shard)
    return rewritten(CALLER, batches, split.rewrite, accumulate)


class _Split(NamedTuple):
    """The arguments of `split_weights`."""

    accumulate: int
    replicas: int
    mask: Any
    pad_value: float
    shard: int | None

    def rewrite(self, batches: Iterator[Batch]) -> Iterator[Any]:
        """The batches with their weights, read a window at a time."""
        while window := [*islice(batches, self.accumulate)]:
            yield from map(tuple, self.weighted(window))

    def weighted(self, window: list[Batch]) -> Iterator[Batch]:
        """The batches of a window with their weights, completed."""
        window = [self._with_weights(batch) for batch in window]
        counts = [self._count(batch) for batch in window]
        totals = np.sum([[c.sum() for c in each] for each in counts], axis=0)
        for batch, each in zip(window, counts):
            shares = [
                self._shares(count, total) for count, total in zip(each, totals)
            ]
            weights = [
                w * share.reshape(-1, *[1] * (w.ndim - 1)).astype("float32")
                for w, share in zip(tree.flatten(batch.weights), shares)
            ]
            weights = tree.pack_sequence_as(batch.weights, weights)
            yield self._shard(batch._replace(weights=weights))
        missing = self.accumulate - len(window)
        if missing:
            rows = rows_of(CALLER, window[-1])
            nothing = _rows(window[-1], slice(0))
            empty = self._shard(self._filled(nothing, rows))
            yield from [empty] * missing

    def _with_weights(self, batch: Batch) -> Batch:
        if batch.y is None:
            raise ValueError(
                describe(
                    CALLER,
                    "batches must have targets.",
                    "Without them there is no loss to weight.",
                    batch="x",
                )
            )
        rows_of(CALLER, batch)
        return with_weights(CALLER, batch, self.mask)

    def _count(self, batch: Batch) -> list[np.ndarray]:
        """What the loss of each output counts in each row."""
        rows = rows_of(CALLER, batch)
        counts = []
        for mask, _ in for_each_output(CALLER, self.mask, batch.y):
            count = np.ones(rows)
            if mask is not None:
                count = count_steps(CALLER, mask, batch, self.pad_value)
            if count.shape != (rows,):
                raise ValueError(
                    describe(
                        CALLER,
                        "the mask must have as many rows as the batch.",
                        "Return one of shape (batch, steps).",
                        rows=rows,
                        mask_rows=len(count),
                    )
                )
            counts.append(count)
        return counts

    def _shares(self, counts: np.ndarray, total: float) -> np.ndarray:
        """The weight of each row, by the count of its replica."""
        if not total:
            return np.zeros(len(counts))
        replica = np.arange(len(counts)) // self._size(len(counts))
        each = np.bincount(replica, counts, self.replicas)
        return each[replica] * self.accumulate * self.replicas / total

    def _size(self, rows: int) -> int:
        """The rows of a replica."""
        return max(-(-rows // self.replicas), 1)

    def _shard(self, batch: Batch) -> Batch:
        if self.shard is None:
            return batch
        size = self._size(rows_of(CALLER, batch))
        first = self.shard * size
        return self._filled(_rows(batch, slice(first, first + size)), size)

    def _filled(self, batch: Batch, rows: int) -> Batch:
        missing = rows - rows_of(CALLER, batch)
        return with_empty_rows(
            CALLER, batch, missing, self.mask, self.pad_value
        )


def _rows(batch: Batch, rows: slice) -> Batch:
    return Batch(
        *(
            tree.map_structure(lambda x: x if x is None else x[rows], part)
            for part in batch
        )
    )
