"""More padding changes nothing."""

from dataclasses import replace

import keras
import numpy as np

from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import all_real_steps
from keras_masking.contract.harness.compare import require_equal
from keras_masking.contract.harness.compare import require_equal_real
from keras_masking.contract.harness.compare import require_equal_runs
from keras_masking.contract.harness.examples import SHAPE
from keras_masking.contract.harness.layer_harness import MORE
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.training import takes_training
from keras_masking.contract.harness.training import untrained
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check
from keras_masking.layer_calls import CallOutputs


def _any_length(harness: LayerHarness) -> None:
    if harness.case.columns:
        raise NotApplicable("is defined by columns: " + harness.case.reason)
    if harness.longest is None:
        raise NotApplicable("the layer is built for one number of steps")


@check("required", after=("runs-with-mask", "pad-value"))
def check_pad_length(harness: LayerHarness) -> None:
    """More padding, on the right or on the left, changes no real output.

    Why: this is the main promise. The padding of a row depends on the longest
        row of its batch.
    Cause: a mean over all steps, windows placed by the padded length (a strided
        `same` convolution), or positions counted from the left.
    Wrong:
        positions = ops.arange(ops.shape(x)[1])
    Right:
        positions = keras_masking.ops.position_ids(mask)
    """
    _any_length(harness)
    for side in ("right", "left"):
        for more in MORE:
            if side == "left" and not _aligned(harness, more):
                continue
            batch = batches.pad(harness.batch, more, side)
            steps = f"{more} more padding step{'s' * (more > 1)}"
            runs = "in the batch", f"with {steps} on the {side}"
            require_equal_runs(harness, harness.batch, batch, runs)


def _aligned(harness: LayerHarness, more: int) -> bool:
    """Whether that much left padding is a whole number of output steps.

    A strided layer starts at the first column, so left padding must be a
    multiple of its strides.
    """
    return all(
        harness.shift(i, more) is not None
        for i, has in enumerate(harness.has_steps)
        if has
    )


@check("required", after=("runs-with-mask", "pad-length", "pad-value-training"))
def check_pad_length_training(harness: LayerHarness) -> None:
    """In training, more padding changes no real output and no statistics.

    Why: a layer that writes zeros at padding steps does not see the values
        there, but may still count the zeros. After training, it uses the
        statistics that it collected.
    Cause: mean and variance are computed over all steps, or by an inner layer
        that gets no mask.
    Wrong:
        x = ops.where(mask[..., None], x, 0)
        mean = ops.mean(x, axis=(0, 1))
    Right:
        mean = keras_masking.ops.masked_mean(x, mask, axis=(0, 1))
    """
    _any_length(harness)
    harness.needs_any_batch()
    if not takes_training(harness.layer):
        raise NotApplicable(
            "no `call`, also of layers inside, takes `training`; see "
            "`pad-length`"
        )
    more = batches.pad(harness.batch, MORE[-1])
    result, kept = _trained(harness, harness.batch)
    try:
        other, _ = _trained(harness, harness.batch, other_noise=True)
        require_equal_real(
            harness, (result, harness.batch), (other, harness.batch), ("", "")
        )
    except ContractViolation as error:
        raise NotApplicable(
            "in training it draws noise by the shape of the batch"
        ) from error
    padded, kept_then = _trained(harness, more)
    runs = "in training", f"with {MORE[-1]} more padding steps"
    require_equal_real(harness, (result, harness.batch), (padded, more), runs)
    for variable, x, y in zip(untrained(harness.layer), kept, kept_then):
        where = f"weight '{variable.name}' after a call"
        require_equal(x, y, str(variable.dtype), runs, where)


def _trained(
    harness: LayerHarness, batch: Batch, other_noise: bool = False
) -> tuple[CallOutputs, list[np.ndarray]]:
    """The outputs of a call in training, and the untrained weights after it."""
    harness.restore()
    keras.utils.set_random_seed(harness.seed + other_noise)
    if other_noise:
        for variable in untrained(harness.layer):
            if "seed_generator" in variable.name:
                variable.assign(variable + 1)
    return harness.run_once(batch, {"training": True})


@check("required", after=("runs-with-mask", "pad-value"))
def check_alone_equals_batched(harness: LayerHarness) -> None:
    """A row alone, without padding, gives the same as in a padded batch.

    Why: training uses padded batches, serving often single sequences. Both must
        compute the same function.
    Cause: the formula uses the number of steps instead of the number of real
        steps; or windows that mix real steps and padding are marked as real.
    Wrong:
        x = ops.sum(real, axis=1) / ops.shape(x)[1]
    Right:
        x = keras_masking.ops.masked_mean(x, mask)
    """
    _any_length(harness)
    compared = _compare_alone(harness, harness.batch)
    left = harness.masked("left")
    steps = left.steps
    rows = [
        row
        for row in range(left.rows)
        if _aligned(harness, steps - int(left.given[row].sum()))
    ]
    compared += _compare_alone(harness, left, rows)
    if not compared:
        raise NotApplicable("no row gives a real output step")


def _compare_alone(
    harness: LayerHarness, batch: Batch, rows: list[int] | None = None
) -> int:
    result = harness.run(batch)
    compared = 0
    for row in range(batch.rows) if rows is None else rows:
        single = batches.alone(batch, row)
        try:
            lone = harness.run(single)
        except CallFailed as error:
            if _gives_nothing(harness, batch, row):
                continue  # too short for one window, and so not real
            if _refuses(harness, single):
                continue
            raise ContractViolation(
                f"row {row} alone: {error.seen}",
                "in the batch it is real",
                blocked_by="mask-shape",
            ) from error
        compared += require_equal_real(
            harness,
            (result, batch),
            (lone, single),
            ("in a padded batch", "alone"),
            rows=[(row, 0)],
        )
    return compared


def _refuses(harness: LayerHarness, batch: Batch) -> bool:
    """Whether a layer without windows rejects the shape, mask or no mask."""
    if any(harness.has_steps) and not harness.keeps_steps:
        return False
    try:
        harness.run(batches.without_masks(batch))
    except CallFailed:
        return True
    return False


def _gives_nothing(harness: LayerHarness, batch: Batch, row: int) -> bool:
    result = harness.run(batch)
    real = all_real_steps(harness, result, batch)
    return any(mask is not None and not mask[row].any() for mask in real)


@check("required", after=("runs-with-mask", "pad-value"))
def check_equal_sizes(harness: LayerHarness) -> None:
    """Equal sizes of batch, steps and features do not change the outputs.

    Why: a mask `(batch, steps)` broadcasts against `(steps, features)` without
        an error if the sizes agree, and masks the wrong values.
    Cause: the mask is used without a feature axis: `mask` instead of `mask[...,
        None]`; or an axis is found by its size.
    Wrong:
        ops.where(mask, inputs, 0)
    Right:
        ops.where(mask[..., None], inputs, 0)
    """
    if harness.shape is not None:
        raise NotApplicable("the inputs have a given shape")
    size = SHAPE[2] if harness.case.inputs is None else harness.batch.rows
    square = harness.sibling((size, size, size))
    # With lengths that fall from row to row, the mask would be its transpose.
    square.batch = replace(
        square.batch,
        masks=tuple(m if m is None else m[::-1] for m in square.batch.masks),
    )
    try:
        square.run(square.plain(square.batch))
    except CallFailed as error:
        raise NotApplicable("the layer is built for other sizes") from error
    for value in (8.0, -8.0):
        other = batches.fill(square.batch, value)
        runs = f"where all sizes are {size}", f"with padding {value:g}"
        require_equal_runs(square, square.batch, other, runs)
    for i, mask in enumerate(harness.base.masks):
        now = square.base.masks[i]
        if (mask is None) != (now is None):
            raise ContractViolation(
                f"all sizes {size}: the output mask appears or vanishes"
            )
    if not harness.case.columns and harness.longest is not None:
        # No new shapes: `alone-equals-batched` has run rows of these lengths.
        try:
            _compare_alone(square, square.batch, [0, size - 1])
        except ContractViolation as violation:
            violation.blocked_by = "alone-equals-batched"
            raise
