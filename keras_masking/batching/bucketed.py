"""Batches of sequences of similar length."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_masking.batching.checks import check_choice
from keras_masking.batching.checks import check_lengths
from keras_masking.batching.data import MASKS
from keras_masking.batching.data import read_data
from keras_masking.batching.epochs import Epochs
from keras_masking.batching.grouping import cut
from keras_masking.batching.grouping import make_buckets
from keras_masking.batching.report import BatchReport
from keras_masking.batching.report import bucket_report
from keras_masking.batching.rows import Layout


class BucketedBatches(Epochs):
    """Batches of sequences of similar length, for `fit` and `evaluate`.

    Each sequence is padded to the first edge that is not below its length, and
    shares its batch with others of the same edge. Each sequence is in exactly
    one batch of an epoch.

    The batches of an edge have equally many rows. The few sequences that are
    left over go to the next edge, so no batch is nearly empty, and there is one
    shape for each edge. The sequences of the last edge are distributed evenly:
    with one shape more, or, with `fill`, with empty rows.

    Args:
        x: The sequences: a list, or an array of objects, of ids `(steps,)` or
            features `(steps, ...)`. Several inputs: a dict or a tuple of these,
            whose sequences have equally many steps.
        y: Targets for each sequence, of any shape, or for each step, `(steps,
            ...)`, in the order of `x`. Several targets: a dict or a tuple.
            Defaults to None: the batches have inputs only.
        sample_weight: A weight for each sequence or, if the targets have steps,
            for each step; one for all targets, or a dict or tuple like `y`.
            Weights of sequences become weights of steps where the targets have
            steps. Defaults to None.
        edges: Lengths to pad to, in steps, ascending. Defaults to
            `bucket_edges`.
        buckets: The largest number of edges, if they are not given; there are
            no more than batches would be without buckets. Defaults to 8.
        batch_size: The most rows in a batch. Defaults to 32 without
            `steps_per_batch`.
        steps_per_batch: The most steps in a batch, padding included: batches of
            short sequences have more rows. Defaults to None, no limit.
        multiple_of: Edges that are not given are multiples of it. Take the
            product of the strides of the model, if there are some. Defaults to
            1.
        shuffle: Whether each epoch has other batches, in random order. (`fit`
            shuffles the batches once more, unless it is told `shuffle=False`.)
            Defaults to True.
        seed: Seed of the order, an integer. Two objects with the same data and
            seed give the same epochs. Defaults to 0.
        fill: Whether the batches of the last edge get empty rows until they
            have the same number of rows. If there are targets, all batches then
            have weights, 0 for an empty row. A mean over *sequences* counts
            rows of weight 0, unless the loss has
            `reduction="mean_with_sample_weight"`. Defaults to False.
        padding: `"post"`, after the sequence, or `"pre"`, before it. Defaults
            to `"post"`.
        pad_value: The id or feature at padding steps of the inputs; 0 at those
            of targets and weights. Defaults to 0.
        mask: How the model gets its mask. `"ids"`: from the values of ids or
            features, by `mask_zero=True`, `Masking` or `NaNMask`. `"lengths"`
            and `"mask"`: as one more input, int32 `(batch,)` for `LengthMask`
            or boolean `(batch, steps)` for `AttachMask`, last in a tuple or
            with this name in a dict. Defaults to `"ids"`.
        static: Keys, or positions, of inputs without steps: arrays `(sequences,
            ...)`. Defaults to none.
        per_step: Whether targets have an entry for each step. Defaults to None:
            by their shapes.
        empty: What to do with sequences of length 0: `"raise"`, or `"keep"`
            them as empty rows with their targets. Defaults to `"raise"`.

    Raises:
        ValueError: If there are no sequences, or they are not numbers of the
            same features; if targets, weights or other inputs do not fit them;
            if an edge or the longest sequence is too long for `edges` or
            `steps_per_batch`; if a sequence is empty; if ids are NaN; with
            `mask="ids"`, if a real step looks like padding.

    Example:

    >>> words = [[5, 2, 9], [7], [3, 4], [1, 1, 8, 6], [2, 6], [9]]
    >>> batches = keras_masking.batching.BucketedBatches(
    ...     words, y=[0, 1, 0, 1, 0, 1], buckets=2, batch_size=3, shuffle=False
    ... )
    >>> for x, y in batches:
    ...     print(x.tolist(), y.tolist())
    [[7, 0], [3, 4]] [1, 0]
    [[5, 2, 9, 0], [1, 1, 8, 6]] [0, 1]
    [[2, 6], [9, 0]] [0, 1]
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        edges: Sequence[int] | None = None,
        buckets: int = 8,
        batch_size: int | None = None,
        steps_per_batch: int | None = None,
        multiple_of: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        fill: bool = False,
        padding: str = "post",
        pad_value: Any = 0,
        mask: str = "ids",
        static: Iterable[Any] = (),
        per_step: bool | None = None,
        empty: str = "raise",
    ) -> None:
        caller = type(self).__name__
        check_choice(caller, "padding", padding, ("post", "pre"))
        check_choice(caller, "mask", mask, MASKS)
        check_choice(caller, "empty", empty, ("raise", "keep"))
        data = read_data(
            *(caller, x, y, sample_weight),
            static=static,
            per_step=per_step,
            pad_value=pad_value,
            mask=mask,
            weigh=fill,
        )
        check_lengths(
            *(caller, data.lengths, int(empty == "raise"), "x"),
            "Leave empty sequences out, or pass empty='keep'.",
        )
        self.buckets = make_buckets(
            *(caller, data.lengths, edges, buckets),
            *(batch_size, steps_per_batch, multiple_of),
        )
        self.padding, self.fill = padding, bool(fill)
        super().__init__(data, shuffle, seed)

    @property
    def edges(self) -> list[int]:
        """The lengths to which sequences are padded, in steps."""
        return [bucket.edge for bucket in self.buckets]

    def plan(self, rng: np.random.Generator | None) -> list[Layout]:
        return cut(
            *(self.buckets, self.data.lengths, rng, self.padding, self.fill)
        )

    def report(self) -> BatchReport:
        """What the batches consist of, and what would reduce the padding."""
        return bucket_report(self.layouts, self.data.lengths, self.edges)
