"""Packed rows: the sequences of an example side by side, parted by padding."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.layer_harness import MORE
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.layer_calls import CallOutputs


class Gap(NamedTuple):
    """What sequences of one row need between them."""

    gap: int  # padding steps
    align: int  # of which each start is a multiple


class Packed(NamedTuple):
    """A batch of packed rows, and where its sequences are."""

    batch: Batch
    orders: list[list[int]]  # the sequences of each row
    starts: list[list[np.ndarray]]  # per leaf and row: their first columns


def takes_packed(harness: LayerHarness) -> bool:
    """Whether to the layer a hole parts two sequences."""
    sets = getattr(harness.layer, "packed", False)
    sets = sets or _max_segments(harness.layer)
    return bool(sets) or harness.case.packed_gap is not None


def declared_gap(harness: LayerHarness) -> Gap:
    """The gap of a layer that takes packed rows; else `NotApplicable`."""
    gap = 1 if harness.case.packed_gap is None else harness.case.packed_gap
    if not takes_packed(harness):
        raise NotApplicable(
            "takes no packed rows: neither `packed` nor `max_segments` of the "
            "layer is set, nor `Case(packed_gap=...)`"
        )
    harness.needs_any_batch()
    return Gap(gap, harness.case.packed_align)


def _max_segments(layer: object) -> bool:
    return getattr(layer, "max_segments", None) is not None


def makes_segments(harness: LayerHarness) -> bool:
    """Whether a layer gives one result for each sequence of a row.

    Then its output has a mask, but not more steps for more steps.
    """
    if _max_segments(harness.layer):
        return True
    if harness.case.packed_gap is None or harness.longest is None:
        return False
    pairs = zip(harness.has_steps, range(len(harness.has_steps)))
    return all(has and harness.shift(i, MORE[-1]) == 0 for has, i in pairs)


def sequences(harness: LayerHarness) -> Batch:
    """Rows that are nearly full, so that windows fit into each sequence."""
    masks: list[np.ndarray | None] = []
    for leaf, mask in zip(harness.batch.leaves, harness.batch.masks):
        if mask is None:
            masks.append(None)
            continue
        rows, steps = leaf.shape[:2]
        counts = np.maximum(steps - np.arange(rows), (steps + 1) // 2)
        masks.append(np.arange(steps) < counts[:, None])
    return replace(harness.batch, masks=tuple(masks))


def pack(
    batch: Batch, orders: list[list[int]], gap: Gap, fill: float
) -> Packed:
    """Rows of the sequences of `batch`, in those orders."""
    leaves, masks, starts = [], [], []
    for leaf, mask in zip(batch.leaves, batch.masks, strict=True):
        if mask is None:
            raise NotApplicable("an input has no steps")
        counts = mask.sum(axis=1)
        places = [_starts(counts[order], gap) for order in orders]
        steps = max(
            int(place[-1] + counts[order[-1]])
            for place, order in zip(places, orders)
        )
        steps += 2 * gap.align  # not a multiple of anything by chance
        rows = np.zeros((len(orders), steps, *leaf.shape[2:]), leaf.dtype)
        real = np.zeros((len(orders), steps), bool)
        for row, (place, order) in enumerate(zip(places, orders)):
            for start, k in zip(place, order):
                columns = slice(start, start + counts[k])
                rows[row, columns] = leaf[k, : counts[k]]
                real[row, columns] = True
        leaves.append(rows)
        masks.append(real)
        starts.append(places)
    packed = replace(batch, leaves=tuple(leaves), masks=tuple(masks))
    return Packed(batches.fill(packed, fill), orders, starts)


def _starts(counts: np.ndarray, gap: Gap) -> np.ndarray:
    """The first columns of sequences of those lengths; padding on the left."""
    starts, column = [], gap.align
    for count in counts:
        starts.append(column)
        column = -(-(column + int(count) + gap.gap) // gap.align) * gap.align
    return np.array(starts)


def parts(
    harness: LayerHarness, result: CallOutputs, output: int, batch: Batch
) -> list[list[slice]]:
    """Where the sequences of each row are in an output, along its axis 1."""
    y, mask = result.outputs[output], result.masks[output]
    if mask is None and y.shape[:2] == batch.given.shape:
        mask = batch.given
    if mask is None or mask.shape != y.shape[:2]:
        raise NotApplicable(
            "the output has no mask that says where its sequences are",
            blocked_by="mask-kept",
        )
    if makes_segments(harness):
        slots = [np.flatnonzero(row).tolist() for row in mask]
        return [[slice(k, k + 1) for k in row] for row in slots]
    return [_runs(row) for row in mask.astype(bool)]


def _runs(mask: np.ndarray) -> list[slice]:
    """The columns of each run of a row's mask."""
    edges = np.diff(np.concatenate([[False], mask, [False]]).astype(int))
    firsts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [slice(a, b) for a, b in zip(firsts.tolist(), ends.tolist())]
