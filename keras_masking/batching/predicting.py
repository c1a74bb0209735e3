"""Predictions for sequences of any length, in their order."""

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_masking._arguments import check_integer
from keras_masking.batching.checks import check_choice
from keras_masking.batching.data import MASKS
from keras_masking.batching.data import Data
from keras_masking.batching.data import read_data
from keras_masking.batching.grouping import BATCH_SIZE
from keras_masking.batching.grouping import cut
from keras_masking.batching.grouping import make_buckets
from keras_masking.batching.packing import Packing
from keras_masking.batching.rows import Layout
from keras_masking.errors import describe

CALLER = "predict_unpadded"
# An output: for each batch its layout and the array.
Output = list[tuple[Layout, np.ndarray]]


def predict_unpadded(
    model: Any,
    x: Any,
    *,
    edges: Sequence[int] | None = None,
    buckets: int = 8,
    batch_size: int | None = None,
    steps_per_batch: int | None = None,
    multiple_of: int = 1,
    packing: Packing | None = None,
    padding: str = "post",
    pad_value: Any = 0,
    mask: str = "ids",
    static: Iterable[Any] = (),
    per_step: bool | None = None,
    verbose: int | str = "auto",
) -> Any:
    """What a model predicts for sequences, in their order, without padding.

    Pads little, by buckets or in packed rows, and removes the padding from the
    outputs. `Model.predict` fails on PyTorch and JAX for outputs with steps, if
    batches differ in length.

    Args:
        model: The model. It must ignore padding: its layers obey the mask.
        x: The sequences, as in `BucketedBatches`. Empty ones are empty rows.
        edges: As in `BucketedBatches`, like the next four arguments.
        buckets: The largest number of edges. Defaults to 8.
        batch_size: The most rows in a batch. Defaults to 32 without
            `steps_per_batch`.
        steps_per_batch: The most steps in a batch. Defaults to None, no limit.
        multiple_of: Edges that are not given are multiples of it. Defaults to
            1.
        packing: The plan of `pack` for the lengths of `x`, to predict packed
            rows. Defaults to None: buckets.
        padding: `"post"` or `"pre"`: where the padding of buckets is. Defaults
            to `"post"`.
        pad_value: The id or feature at padding steps. Defaults to 0.
        mask: How the model gets its mask, as in `BucketedBatches`, or, with
            `packing`, in `PackedBatches`. Defaults to `"ids"`.
        static: Keys, or positions, of inputs without steps. Defaults to none.
        per_step: Whether outputs have a value for each step. Defaults to None:
            those whose number of steps is that of their batch.
        verbose: 0 for no progress bar, 1 for one, 2 for one line at the end.
            Defaults to `"auto"`, 1.

    Returns:
        For an output with steps, a list with an array `(steps, ...)` for each
        sequence; else an array `(sequences, ...)`. For several outputs, a dict,
        tuple or list of these, as the model has it.

    Raises:
        ValueError: If the data are bad, as in `BucketedBatches`; if `packing`
            is for other lengths; if an output has another number of steps than
            its batch, as after strides.

    Example:

    >>> model = keras.Sequential([
    ...     keras_masking.layers.CustomEmbedding(10, 4, mask_zero=True),
    ...     keras_masking.layers.MaskedConv1D(2, 3, padding="same"),
    ... ])
    >>> words = [[5, 2, 9], [7], [3, 4]]
    >>> y = keras_masking.batching.predict_unpadded(model, words, verbose=0)
    >>> [one.shape for one in y]
    [(3, 2), (1, 2), (2, 2)]
    """
    check_choice(CALLER, "padding", padding, ("post", "pre"))
    check_choice(CALLER, "mask", mask, MASKS)
    if not hasattr(model, "predict_on_batch"):
        raise ValueError(
            describe(
                CALLER,
                "`model` must be a Keras model.",
                "For a layer, pass `keras.Sequential([layer])`.",
                type=type(model).__name__,
            )
        )
    data = read_data(CALLER, x, static=static, pad_value=pad_value, mask=mask)
    if packing is not None:
        layouts = _packed_rows(data, packing, batch_size)
    else:
        found = make_buckets(
            *(CALLER, data.lengths, edges, buckets),
            *(batch_size, steps_per_batch, multiple_of),
        )
        layouts = cut(found, data.lengths, padding=padding)
    structure, outputs = _predict(model, data, layouts, verbose)
    taken = []
    for i, output in enumerate(outputs):
        if packing is not None:
            rows = np.concatenate([y for _, y in output])[: packing.rows]
            taken.append(packing.unpack(rows, per_step))
            continue
        steps = per_step
        if steps is None:
            steps = _has_steps(output)
        if steps is None:
            steps = _grows(model, data, output, i, multiple_of)
        take = _steps_of if steps else _rows_of
        taken.append(take(output, len(data.lengths)))
    return keras.tree.pack_sequence_as(structure, taken)


def _packed_rows(
    data: Data, packing: Packing, batch_size: int | None
) -> list[Layout]:
    """Batches of packed rows, all of the same shape."""
    if not np.array_equal(packing.lengths, data.lengths):
        raise ValueError(
            describe(
                CALLER,
                "`packing` must be the plan for these sequences.",
                "Pass `pack([len(sequence) for sequence in x], steps)`.",
                sequences=len(data.lengths),
                sequences_of_the_plan=len(packing.lengths),
            )
        )
    if data.mask == "lengths":
        raise ValueError(
            describe(
                CALLER,
                "lengths cannot describe a row of several sequences.",
                "Pass mask='mask', to a model with a mask for an input.",
                mask="lengths",
            )
        )
    if batch_size is not None:
        check_integer(CALLER, "batch_size", batch_size)
    count = -(-packing.rows // (batch_size or BATCH_SIZE))
    size = -(-packing.rows // count)
    # Empty rows, if there are any, follow the last row.
    rows = np.arange(packing.rows)
    groups = np.split(rows, np.arange(size, packing.rows, size))
    return packing.layout.split(groups, size)


def _predict(
    model: Any, data: Data, layouts: list[Layout], verbose: int | str
) -> tuple[Any, list[Output]]:
    """The structure of the outputs, and each of them."""
    verbose = 1 if verbose == "auto" else verbose
    bar = keras.utils.Progbar(len(layouts), verbose=verbose, unit_name="batch")
    structure: Any = None
    outputs: list[Output] = []
    for number, layout in enumerate(layouts, start=1):
        structure = model.predict_on_batch(data.batch(layout)[0])
        flat = keras.tree.flatten(structure)
        outputs = outputs or [[] for _ in flat]
        for output, y in zip(outputs, flat, strict=True):
            y = np.asarray(y)
            if y.shape[:1] != (layout.rows,):
                raise _no_rows(y.shape, layout)
            output.append((layout, y))
        bar.update(number, finalize=number == len(layouts))
    return structure, outputs


def _has_steps(output: Output) -> bool | None:
    """Whether an output has steps; None if its shapes don't say."""
    steps = {layout.steps for layout, _ in output}
    same = [y.shape[1:2] == (layout.steps,) for layout, y in output]
    if len(steps) > 1 or not any(same):
        return all(same)
    return None


def _grows(
    model: Any, data: Data, output: Output, which: int, more: int
) -> bool:
    """Whether the output of a sequence is longer if there is more padding."""
    first = output[0][0]
    (alone,) = first.split([np.arange(1)], 1)
    longer = replace(alone, steps=first.steps + more)
    try:
        found = model.predict_on_batch(data.batch(longer)[0])
    except Exception as error:
        raise ValueError(
            describe(
                CALLER,
                "an output may have steps or not: all sequences have as many "
                "steps as it has features.",
                "Pass per_step=True or per_step=False.",
                shape=output[0][1].shape,
            )
        ) from error
    y = np.asarray(keras.tree.flatten(found)[which])
    return y.shape[1:2] == (longer.steps,)


def _steps_of(output: Output, count: int) -> list[np.ndarray]:
    """The real steps of each sequence, in the order of the data."""
    result: list[Any] = [None] * count
    for layout, y in output:
        if y.shape[1:2] != (layout.steps,):
            raise _no_rows(y.shape, layout)
        places = (layout.sequence, layout.row, layout.start, layout.length)
        for i, row, start, length in zip(*(p.tolist() for p in places)):
            # A copy, which does not keep the padding in memory.
            result[i] = y[row, start : start + length].copy()
    return result


def _rows_of(output: Output, count: int) -> np.ndarray:
    """The row of each sequence, in the order of the data."""
    layout, first = output[0]
    result = np.empty((count, *first.shape[1:]), first.dtype)
    for layout, y in output:
        if y.shape[1:] != first.shape[1:]:
            raise _no_rows(y.shape, layout)
        result[layout.sequence] = y[layout.row]
    return result


def _no_rows(shape: tuple[int, ...], layout: Layout) -> ValueError:
    return ValueError(
        describe(
            CALLER,
            "an output must have the steps of its batch, or the same shape for "
            "each sequence.",
            "Strides shorten outputs: end the model with a pooling, or call "
            "`predict` for one length at a time.",
            shape=shape,
            rows=layout.rows,
            steps=layout.steps,
        )
    )
