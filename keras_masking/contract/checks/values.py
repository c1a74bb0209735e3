"""Values at padding steps do not reach real outputs."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from keras_masking.array_compare import magnitude
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import all_real_steps
from keras_masking.contract.harness.compare import is_finite
from keras_masking.contract.harness.compare import real_steps
from keras_masking.contract.harness.compare import require_equal_runs
from keras_masking.contract.harness.compare import require_finite
from keras_masking.contract.harness.compare import require_finite_last_row
from keras_masking.contract.harness.holes import skips_holes
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.packing import takes_packed
from keras_masking.contract.harness.rounding import LARGE
from keras_masking.contract.harness.rounding import is_rounding
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.harness.violations import RoundingError
from keras_masking.contract.registry import check

FILLS = (0.0, 8.0, -8.0, LARGE)


def _require_equal_fills(
    harness: LayerHarness,
    batch: Batch,
    fills: tuple[float, ...],
    rounding: bool = False,
    **how: Any,
) -> None:
    """Raises `ContractViolation` unless all `fills` give equal outputs.

    For a rounding error of large padding, only if `rounding`.
    """
    first = batches.fill(batch, fills[0])
    compared = 0
    for value in fills[1:]:
        other = batches.fill(batch, value)
        runs = f"with padding {fills[0]:g}", f"with padding {value:g}"
        try:
            compared += require_equal_runs(harness, first, other, runs, **how)
        except ContractViolation as violation:
            if value != LARGE or not is_rounding(harness, batch, **how):
                raise
            if rounding:
                raise _as_rounding(violation) from violation
            compared += 1  # `pad-value` reports it
    if not compared:
        raise NotApplicable("no output step is real")


def _as_rounding(violation: ContractViolation) -> RoundingError:
    return RoundingError(
        f"only with padding of {LARGE:g}, by rounding: {violation.seen}",
        violation.where,
        cause="the formula adds large padding and takes it away again, as a "
        "convolution by FFT does. Write 0 at padding first:",
        right="inputs = ops.where(mask[..., None], inputs, 0)",
    )


def _needs_floats(harness: LayerHarness) -> None:
    pairs = zip(harness.batch.leaves, harness.batch.masks, strict=True)
    if not any(m is not None and batches.is_float(x) for x, m in pairs):
        raise NotApplicable("the inputs are integers")


@check("required")
def check_pad_value(harness: LayerHarness) -> None:
    """Values at padding steps do not change real outputs.

    Why: these values depend on who made the batch, and on earlier layers. A
        model that uses them gives arbitrary outputs. Scores of attention at
        padding keys must be finite: what uses them multiplies them by 0.
    Cause: `call` gets the mask but does not use it, or does not get it.
    Wrong:
        return ops.mean(inputs, axis=1)
    Right:
        real = ops.where(mask[..., None], inputs, 0)
        count = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
        return ops.sum(real, axis=1) / ops.maximum(count, 1)
    """
    _require_equal_fills(harness, harness.batch, FILLS, rounding=True)
    for value in FILLS:
        _require_finite_scores(harness, batches.fill(harness.batch, value))


def _require_finite_scores(harness: LayerHarness, batch: Batch) -> None:
    """Scores of real queries are finite, also at padding keys."""
    result = harness.run(batch)
    for i, axes in enumerate(harness.step_axes):
        real, y = real_steps(harness, result, i, batch), result.outputs[i]
        if real is None or set(axes) <= {1} or y.dtype.kind != "f":
            continue
        scores = y[real.any(axis=-1)]
        bad = scores[~np.isfinite(scores)]
        if bad.size:
            raise ContractViolation(
                f"{bad.size} of {scores.size} scores at padding keys are "
                f"{bad[0]}",
                f"output {i} of shape {y.shape}",
            )


@check("required", after=("runs-with-mask", "pad-value"))
def check_nan_padding(harness: LayerHarness) -> None:
    """NaN and infinities at padding steps do not reach real outputs.

    Why: missing values are stored as NaN, and an earlier layer may divide 0 by
        0 in a row of padding. Keras' attention layers fail here: the weight of
        padding is 0, and 0 * NaN is NaN.
    Cause: padding is multiplied by 0 instead of being replaced with `where`.
    Wrong:
        inputs * ops.cast(mask, inputs.dtype)[..., None]
    Right:
        ops.where(mask[..., None], inputs, 0)
    """
    _needs_floats(harness)
    _require_equal_fills(
        harness, harness.batch, (0.0, math.nan, math.inf, -math.inf)
    )
    for kind in ("left", "holes"):
        try:
            _require_equal_fills(harness, harness.masked(kind), FILLS[:3])
        except ContractViolation:
            continue  # `mask-position` reports it
        with _named(kind):
            fills = (0.0, math.nan)
            _require_equal_fills(harness, harness.masked(kind), fills)


@check("required", after=("runs-with-mask", "pad-value"))
def check_pad_value_training(harness: LayerHarness) -> None:
    """In training, with the same seed, padding does not change real outputs.

    Why: batch statistics are used in training only; padding in them changes
        every real output.
    Cause: a normalization computes mean and variance over all steps.
    Wrong:
        mean = ops.mean(x, axis=(0, 1))
    Right:
        mean = keras_masking.ops.masked_mean(x, mask, axis=(0, 1))
    """
    _require_equal_fills(harness, harness.batch, FILLS, training=True)


@check("required", after=("runs-with-mask", "pad-value"))
def check_mask_position(harness: LayerHarness) -> None:
    """Padding on the left and in holes is ignored like padding on the right.

    A layer to which the order of steps is nothing, or that selects one step,
    gives the same for holes as for padding on the right.

    Why: `pad_sequences` pads on the left by default, and missing values make
        holes. Both are valid masks.
    Cause: `call` counts the real steps and takes the first ones, or takes all
        steps up to the last real one.
    Wrong:
        lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
        last = ops.take_along_axis(x, lengths[:, None, None] - 1, axis=1)
    Right:
        last = keras_masking.ops.last_step(x, mask)
    """
    for kind in ("left", "holes"):
        with _named(kind):
            _require_equal_fills(harness, harness.masked(kind), FILLS[:3])
    # To a layer that takes packed rows a hole parts two sequences.
    if skips_holes(harness) and not takes_packed(harness):
        holes = harness.masked("holes")
        runs = "with holes", "with the same steps in front of the padding"
        require_equal_runs(harness, holes, batches.compact(holes), runs)


@contextmanager
def _named(kind: str) -> Iterator[None]:
    """Names the kind of padding in what a violation has seen."""
    try:
        yield
    except ContractViolation as error:
        error.seen = f"{kind}: {error.seen}"
        raise


@check("required")
def check_empty_row(harness: LayerHarness) -> None:
    """A row without a real step gives finite values, independent of padding.

    Why: empty rows occur: an empty document, the last batch, a filtered
        segment. A single NaN ruins a training run. `GlobalAveragePooling1D`
        gives NaN.
    Cause: division by the number of real steps, which is 0; or a softmax of
        -inf only.
    Wrong:
        ops.sum(real, axis=1) / count
    Right:
        ops.sum(real, axis=1) / ops.maximum(count, 1)
    """
    batch = harness.masked("empty")
    first = batches.fill(batch, 0.0)
    result = harness.run(first)
    require_finite_last_row(result)
    other = batches.fill(batch, 8.0)
    runs = "beside an empty row of 0", "beside one of 8"
    require_equal_runs(harness, first, other, runs)


@check("required")
def check_large_values(harness: LayerHarness) -> None:
    """Inputs of 10,000 in float32 give finite outputs, independent of padding.

    Why: an additive mask of -10000, or an exponential without subtracting the
        maximum, works for small numbers only.
    Cause: a finite constant is used for minus infinity, or `exp` is applied to
        the raw values.
    Wrong:
        scores = scores - 1e4 * (1 - ops.cast(mask, scores.dtype))
    Right:
        keras_masking.ops.masked_softmax(scores, mask)
    """
    _needs_floats(harness)
    leaves = tuple(
        x * np.array(1e4, x.dtype) if batches.is_float(x) else x
        for x in harness.batch.leaves
    )
    batch = replace(harness.batch, leaves=leaves)
    if not is_finite(harness.run_plain(batch)):
        raise NotApplicable("without padding the outputs are not finite either")
    first, other = batches.fill(batch, 0.0), batches.fill(batch, 3e4)
    result = harness.run(first)
    require_finite(
        result, all_real_steps(harness, result, first), "inputs of 1e4"
    )
    large = f"with inputs of {magnitude(leaves[0]):.0f} and padding"
    require_equal_runs(harness, first, other, (f"{large} 0", f"{large} 30000"))


@check("required", after=("runs-with-mask", "pad-value"))
def check_different_masks(harness: LayerHarness) -> None:
    """If each input has a mask, no padding of any input reaches the output.

    Why: sequences of different lengths are added, concatenated, or attended to.
        Keras' Add marks a step as real if it is real in any input, and adds the
        padding of the others.
    Cause: masks are combined with `or`.
    Wrong:
        mask = ops.logical_or(masks[0], masks[1])
    Right:
        mask = ops.logical_and(masks[0], masks[1])
    """
    _needs_masks(harness)
    masks = batches.make_masks(harness.batch, staggered=True)
    _require_equal_fills(harness, replace(harness.batch, masks=masks), FILLS)


@check("required", after=("runs-with-mask", "pad-value"))
def check_partial_masks(harness: LayerHarness) -> None:
    """An input without a mask counts as all real; other masks are not lost.

    Why: a position table or a gate has no mask. If one is added to a sequence,
        Keras' Add drops the mask of the sequence, without a warning.
    Cause: `compute_mask` returns None when one of the masks is None.
    Wrong:
        if any(m is None for m in masks): return None
    Right:
        masks = [m for m in masks if m is not None]
    """
    _needs_masks(harness)
    masks = harness.batch.masks
    # Of several arguments, Keras passes on the mask of the first. A layer of a
    # list does so too if its role is `passes`, for example for a query.
    first = isinstance(harness.structure, tuple) or harness.role == "passes"
    for keep in range(len(masks)):
        if masks[keep] is None:
            continue
        some = tuple(m if i == keep else None for i, m in enumerate(masks))
        batch = replace(harness.batch, masks=some)
        result = harness.run(batch)
        lost = any(
            had is not None and now is None
            for had, now in zip(harness.base.masks, result.masks)
        )
        if lost and not (first and keep):
            raise ContractViolation(
                f"with a mask on input {keep} alone, the output has none"
            )
        if not lost:
            _require_equal_fills(harness, batch, FILLS[:3])


def _needs_masks(harness: LayerHarness) -> None:
    harness.needs_keras_mask()
    if sum(mask is not None for mask in harness.batch.masks) < 2:
        raise NotApplicable("fewer than two inputs have a mask")
