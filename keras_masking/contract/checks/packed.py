"""Several sequences in a row: each gives what it gives alone."""

from dataclasses import replace
from typing import Any
from typing import NamedTuple

import numpy as np

from keras_masking.array_compare import magnitude
from keras_masking.contract.checks.gradients import require_alike
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import require_equal
from keras_masking.contract.harness.compare import require_equal_real
from keras_masking.contract.harness.gradients import Gradients
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.packing import Packed
from keras_masking.contract.harness.packing import declared_gap
from keras_masking.contract.harness.packing import makes_segments
from keras_masking.contract.harness.packing import pack
from keras_masking.contract.harness.packing import parts
from keras_masking.contract.harness.packing import sequences
from keras_masking.contract.harness.training import needs_gradients
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check

AFTER = ("runs-with-mask", "alone-equals-batched")


@check("required", after=AFTER)
def check_packed(harness: LayerHarness) -> None:
    """In a packed row each sequence gives what it gives alone.

    Why: with several sequences in a row there is hardly any padding, but each
        must not see its neighbours. For layers whose `packed` is set, or with
        `Case(packed_gap=...)`, the padding steps that part two sequences.
    Cause: statistics, positions or a state go on from one run of real steps to
        the next; attention sees the whole row; or a window is wider than the
        gap.
    Wrong:
        positions = keras_masking.ops.position_ids(mask)
    Right:
        positions = keras_masking.ops.position_ids(mask, packed=True)
    """
    declared_gap(harness)
    if makes_segments(harness):
        raise NotApplicable("pools each sequence; see `segments`")
    _compare(harness)


@check("required", after=AFTER)
def check_segments(harness: LayerHarness) -> None:
    """A pooling of packed rows gives each sequence what it gives alone.

    Why: a target belongs to one sequence. For layers whose `max_segments` is
        set: the k-th result of a row is that of its k-th sequence, and the mask
        `(batch, max_segments)` says which there are.
    Cause: a reduction over the row, or over the wrong run; a product with a
        mask of each sequence, in which 0 * NaN is NaN; or no output mask.
    Wrong:
        y = ops.matmul(one_hot(segment_ids), x)
    Right:
        y = ops.sum(ops.where(own_steps, x, 0), axis=2)
    """
    declared_gap(harness)
    if not makes_segments(harness):
        raise NotApplicable("keeps the steps; see `packed`")
    _compare(harness)


def _compare(harness: LayerHarness) -> None:
    """Compares rows, in several orders, with each sequence in a row alone."""
    gap = declared_gap(harness)
    lone = batches.fill(sequences(harness), 0.0)
    count = lone.rows
    orders = [[(k + row) % count for k in range(count)] for row in range(count)]
    for value in (0.0, 8.0, np.nan):
        packed = pack(lone, orders, gap, value)
        how = f"in a packed row with {value:g} in gaps of {gap.gap}"
        _require(harness, lone, packed, how)
    loud = batches.change_real(lone, harness.new_rng())
    mixed, kept = _among_others(packed, pack(loud, orders, gap, 8.0))
    _require(harness, lone, mixed, "among other sequences in a row", kept)


def _among_others(packed: Packed, other: Packed) -> tuple[Packed, int]:
    """One sequence of each row, at one place, among those of `other`."""
    place = len(packed.orders[0]) // 2
    leaves = []
    for leaf, loud, mask, starts in zip(
        packed.batch.leaves,
        other.batch.leaves,
        packed.batch.masks,
        packed.starts,
        strict=True,
    ):
        mixed = loud.copy()
        for row, columns in enumerate(starts):
            end = columns[place]
            while mask is not None and end < len(mask[row]) and mask[row, end]:
                end += 1
            mixed[row, columns[place] : end] = leaf[row, columns[place] : end]
        leaves.append(mixed)
    batch = replace(other.batch, leaves=tuple(leaves))
    return Packed(batch, packed.orders, packed.starts), place


def _require(
    harness: LayerHarness,
    lone: Batch,
    packed: Packed,
    how: str,
    place: int | None = None,
) -> None:
    """Raises unless each sequence, or the one at `place`, is as it is alone."""
    one, many = harness.run(lone), harness.run(packed.batch)
    compared = 0
    for i in _outputs(harness):
        x, y = one.outputs[i], many.outputs[i]
        for at in _places(harness, lone, packed, i):
            if place in (None, at.place):
                where = f"output {i}, sequence {at.place} of row {at.row}"
                compared += 1
                require_equal(
                    x[at.sequence][at.alone],
                    y[at.row][at.packed],
                    one.dtypes[i],
                    ("alone", how),
                    where,
                    magnitude(x),
                )
    if not compared:
        raise NotApplicable("no sequence gives a real output step")


class At(NamedTuple):
    """A sequence, and where it is in its packed row and alone."""

    row: int
    place: int
    sequence: int
    packed: slice
    alone: slice


def _outputs(harness: LayerHarness) -> list[int]:
    """The outputs that are sequences, or one result for each."""
    found = harness.sequences
    if not found:
        raise ContractViolation(
            "the output has neither steps nor a mask of its sequences, so it "
            "is of the whole row"
        )
    return found


def _places(
    harness: LayerHarness, lone: Batch, packed: Packed, output: int
) -> list[At]:
    alone = parts(harness, harness.run(lone), output, lone)
    found = parts(harness, harness.run(packed.batch), output, packed.batch)
    places = []
    for row, order in enumerate(packed.orders):
        # A sequence shorter than one window has no step.
        order = [k for k in order if alone[k]]
        if len(found[row]) != len(order):
            raise ContractViolation(
                f"{len(order)} sequences alone, and {len(found[row])} in a "
                "packed row",
                f"output {output}, row {row}",
            )
        pairs = enumerate(zip(order, found[row]))
        places += [At(row, j, k, part, alone[k][0]) for j, (k, part) in pairs]
    return places


@check("required", after=("packed", "segments", "grad-pad-value"))
def check_packed_gradients(harness: LayerHarness) -> None:
    """In a packed row each sequence has the gradients that it has alone.

    Why: otherwise training on packed rows is another training.
    Cause: a function for the maximum or the sum so far, whose gradient is wrong
        at equal values; or a statistic of the whole row that cancels in the
        outputs, but not in the gradients.
    Wrong:
        scores = x - ops.max(x, axis=1, keepdims=True)
    Right:
        scores = x - ops.stop_gradient(max_of_own_sequence)
    """
    gap = declared_gap(harness)
    needs_gradients()
    lone = batches.fill(sequences(harness), 0.0)
    both = (harness.run(lone), lone), (harness.run(lone, training=True), lone)
    try:
        require_equal_real(harness, *both, ("", ""))
    except ContractViolation as violation:
        raise NotApplicable("gives something else in training") from violation
    packed = pack(lone, [list(range(lone.rows))], gap, 8.0)
    one, many = harness.run(lone), harness.run(packed.batch)
    factors: list[dict[int, np.ndarray]] = [{}, {}]
    rng = harness.new_rng()
    for i in _outputs(harness):
        shapes = [run.outputs[i].shape for run in (one, many)]
        alone, together = (np.zeros(shape, "float32") for shape in shapes)
        for at in _places(harness, lone, packed, i):
            shape = alone[at.sequence][at.alone].shape
            factor = rng.uniform(0.5, 1.5, size=shape)
            alone[at.sequence][at.alone] = factor
            together[at.row][at.packed] = factor
        factors[0][i], factors[1][i] = alone, together
    by_x, weights = _gradients(harness, lone, factors[0])
    found, others = _gradients(harness, packed.batch, factors[1])
    runs = "alone", "in a packed row"
    for i, (x, y) in enumerate(zip(by_x, found)):
        if x is None:
            continue
        order, mask = packed.orders[0], lone.masks[i]
        for start, k in zip(packed.starts[i][0], order):
            real = x[k] if mask is None else x[k][mask[k]]
            own = y[0, start : start + len(real)]
            require_alike(real, own, runs, f"gradient by input {i}")
    for i, (a, b) in enumerate(zip(weights, others)):
        require_alike(a, b, runs, f"gradient by weight {i}")


def _gradients(
    harness: LayerHarness, batch: Batch, factors: dict[int, np.ndarray]
) -> tuple[list[Any], list[np.ndarray]]:
    other = harness.sibling(harness.shape)
    other.share(harness)
    other.batch = batch
    return Gradients(other)(batch, factors)
