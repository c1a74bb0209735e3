"""Batches of rows that hold several sequences."""

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_masking._arguments import check_integer
from keras_masking.batching.checks import check_choice
from keras_masking.batching.checks import check_lengths
from keras_masking.batching.columns import leaves
from keras_masking.batching.data import Data
from keras_masking.batching.data import read_data
from keras_masking.batching.epochs import Epochs
from keras_masking.batching.grouping import shuffled
from keras_masking.batching.packed_rows import read_sizes
from keras_masking.batching.packed_rows import rows_of_sizes
from keras_masking.batching.planning import read_pieces
from keras_masking.batching.planning import read_room
from keras_masking.batching.report import BatchReport
from keras_masking.batching.report import pack_report
from keras_masking.batching.rows import Layout
from keras_masking.errors import describe


class PackedBatches(Epochs):
    """Batches of rows that hold several sequences, for `fit` and `evaluate`.

    The sequences of a row are parted by padding. Each sequence is in exactly
    one batch of an epoch, and all batches have the same shape, or one for each
    size of rows. The rows of an epoch are distributed evenly, and filled with a
    few empty rows.

    Take it for models whose layers can be packed: ours, the convolutions with a
    `gap`, and Keras' pointwise ones. The loss must get the mask, as from our
    layers, since it has to ignore padding and free slots.

    Args:
        x: The sequences: a list, or an array of objects, of ids `(steps,)` or
            features `(steps, ...)`. Several inputs: a dict or a tuple of these,
            whose sequences have equally many steps.
        y: Targets for each step, `(steps, ...)`, or for each sequence, of any
            shape, in the order of `x`. Several targets: a dict or a tuple.
            Those of steps are packed like the inputs. Those of sequences become
            `(rows, max_segments, ...)`, each in the slot of its sequence, like
            the outputs of poolings with `max_segments`. Defaults to None: the
            batches have inputs only.
        sample_weight: A weight for each sequence or, if the targets have steps,
            for each step; one for all targets, or a dict or tuple like `y`.
            Defaults to None.
        steps: The number of steps of a row. Or several numbers, ascending, such
            as `[128, 256, 512]`: each sequence stands in the shortest row that
            holds it. Short rows suit attention, whose time grows with the
            square of a row, and recurrent layers, which walk along it.
        batch_size: The number of rows in a batch; with several sizes, in one of
            the longest rows: the others have as many steps. Defaults to None:
            batches of about 32 sequences.
        gap: The least number of padding steps between two sequences, as in
            `pack`. Defaults to 1.
        align: Sequences start at multiples of it, as in `pack`. Defaults to 1.
        max_segments: The most sequences in a row: that of the poolings of the
            model. Needed for targets or inputs without steps. Defaults to None.
        shortest: Shorter sequences are an error, as in `pack`. Defaults to 1.
        split: Whether sequences longer than a row are cut into pieces, as in
            `pack`. Defaults to False.
        shuffle: Whether each epoch has a new plan, in random order. Else
            sequences are placed in their order. (`fit` shuffles the batches
            once more, unless it is told `shuffle=False`.) Defaults to True.
        seed: Seed of the plans, an integer. Two objects with the same data and
            seed give the same epochs. Defaults to 0.
        pad_value: The id or feature at padding steps of the inputs; 0 at those
            of targets and weights. Defaults to 0.
        mask: How the model gets its mask. `"ids"`: from the values of ids or
            features, by `mask_zero=True`, `Masking` or `NaNMask`. `"mask"`: as
            one more input, boolean `(batch, steps)` for `AttachMask`, last in a
            tuple or with this name in a dict. (Lengths cannot describe a packed
            row.) Defaults to `"ids"`.
        static: Keys, or positions, of inputs without steps: arrays `(sequences,
            ...)`, which become `(rows, max_segments, ...)`. Defaults to none.
        per_step: Whether targets have an entry for each step. Defaults to None:
            by their shapes.

    Raises:
        ValueError: If there are no sequences, or they are not numbers of the
            same features; if targets, weights or other inputs do not fit them;
            if a sequence is longer than a row, without `split`, or shorter than
            `shortest`; if there are targets of sequences, but `max_segments` is
            None or sequences were cut; if ids are NaN; with `mask="ids"`, if a
            real step looks like padding.

    Example:

    >>> words = [[5, 2, 9], [7], [3, 4], [1, 1, 8, 6]]
    >>> batches = keras_masking.batching.PackedBatches(
    ...     words, y=[11, 12, 13, 14], steps=6, max_segments=2, shuffle=False
    ... )
    >>> x, y = batches[0]
    >>> x.tolist()
    [[5, 2, 9, 0, 7, 0], [3, 4, 0, 0, 0, 0], [1, 1, 8, 6, 0, 0]]
    >>> y.tolist()
    [[11, 12], [13, 0], [14, 0]]
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        steps: int | Sequence[int],
        batch_size: int | None = None,
        gap: int = 1,
        align: int = 1,
        max_segments: int | None = None,
        shortest: int = 1,
        split: bool = False,
        shuffle: bool = True,
        seed: int = 0,
        pad_value: Any = 0,
        mask: str = "ids",
        static: Iterable[Any] = (),
        per_step: bool | None = None,
    ) -> None:
        caller = type(self).__name__
        check_choice(caller, "mask", mask, ("ids", "mask"))
        rooms = [
            read_room(caller, size, gap, align, max_segments)
            for size in read_sizes(caller, steps)
        ]
        if batch_size is not None:
            check_integer(caller, "batch_size", batch_size)
        data = read_data(
            *(caller, x, y, sample_weight),
            static=static,
            per_step=per_step,
            pad_value=pad_value,
            mask=mask,
        )
        shortest = check_integer(caller, "shortest", shortest)
        check_lengths(caller, data.lengths, shortest, "x")
        longest = rooms[-1].steps
        pieces = read_pieces(caller, data.lengths, longest, split)
        cut = len(pieces[0]) > len(data.lengths)
        _check_slots(caller, data, max_segments, cut)
        self.groups = rows_of_sizes(pieces, rooms, batch_size)
        super().__init__(data, shuffle, seed)

    def plan(self, rng: np.random.Generator | None) -> list[Layout]:
        layouts = [one for group in self.groups for one in group.plan(rng)]
        return shuffled(layouts, rng)

    def report(self) -> BatchReport:
        """What the batches consist of."""
        return pack_report(self.layouts, self.data.lengths)


def _check_slots(
    caller: str, data: Data, max_segments: int | None, cut: bool
) -> None:
    """Rejects data of sequences where there are no slots for them."""
    columns = [*leaves(data.inputs).values()]
    if data.targets is not None:
        columns += leaves(data.targets).values()
    if all(column.per_step for column in columns):
        return
    if max_segments is None:
        raise ValueError(
            describe(
                caller,
                "what a sequence has once needs a slot in its row.",
                "Pass the `max_segments` of the poolings of the model.",
                max_segments=None,
            )
        )
    if cut:
        raise ValueError(
            describe(
                caller,
                "a sequence that is cut has no slot of its own.",
                "Pack into longer rows, without `split=True`.",
                longest=data.lengths.max(),
            )
        )
