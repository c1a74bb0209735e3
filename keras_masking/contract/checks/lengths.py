"""More padding changes nothing."""

import keras
import numpy as np

from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import all_real_steps
from keras_masking.contract.harness.compare import same
from keras_masking.contract.harness.compare import same_real
from keras_masking.contract.harness.compare import same_runs
from keras_masking.contract.harness.examples import SHAPE
from keras_masking.contract.harness.layer_harness import MORE
from keras_masking.contract.harness.layer_harness import Bench
from keras_masking.contract.harness.layer_harness import Breach
from keras_masking.contract.harness.layer_harness import CallFailed
from keras_masking.contract.harness.layer_harness import NotApplicable
from keras_masking.contract.harness.layer_harness import takes_training
from keras_masking.contract.harness.layer_harness import untrained
from keras_masking.contract.registry import check
from keras_masking.layer_calls import Seen


def _any_length(bench: Bench) -> None:
    if bench.case.columns:
        raise NotApplicable("speaks of columns: " + bench.case.reason)
    if bench.longest is None:
        raise NotApplicable("the layer is built for one number of steps")


@check("required", after=("runs-with-mask", "pad-value"))
def check_pad_length(bench: Bench) -> None:
    """More padding, on the right or on the left, changes no real output.

    Why: this is the promise. A row gets as much padding as the longest of its
        batch needs.
    Cause: a mean over all steps, a window that is placed by the padded length
        (a strided `same` convolution), or a position counted from the left.
    Wrong:
        positions = ops.arange(ops.shape(x)[1])
    Right:
        positions = keras_masking.ops.position_ids(mask)
    """
    _any_length(bench)
    for side in ("right", "left"):
        for more in MORE:
            if side == "left" and not _aligned(bench, more):
                continue
            batch = batches.pad(bench.batch, more, side)
            what = f"{more} more padding step{'s' * (more > 1)} on the {side}"
            same_runs(bench, bench.batch, batch, what)


def _aligned(bench: Bench, more: int) -> bool:
    """Whether so much padding on the left is whole output steps.

    A strided layer starts at the first column; its left padding counts in
    multiples of its strides.
    """
    return all(
        bench.shift(i, more) is not None
        for i, has in enumerate(bench.has_steps)
        if has
    )


@check("required", after=("runs-with-mask", "pad-length", "pad-value-training"))
def check_pad_length_training(bench: Bench) -> None:
    """In training, more padding changes no real output and no statistics.

    Why: a layer that writes zeros at padding steps does not see what stood
        there, and may count the zeros all the same. The statistics that it
        keeps are what it uses for good after training.
    Cause: mean and variance are taken over all steps, or by a layer inside
        that gets no mask.
    Wrong:
        x = ops.where(mask[..., None], x, 0)
        mean = ops.mean(x, axis=(0, 1))
    Right:
        mean = keras_masking.ops.masked_mean(x, mask, axis=(0, 1))
    """
    _any_length(bench)
    bench.needs_any_batch()
    if not takes_training(bench.layer):
        raise NotApplicable("`call` takes no `training`, see `pad-length`")
    more = batches.pad(bench.batch, MORE[-1])
    seen, kept = _trained(bench, bench.batch)
    try:
        other, _ = _trained(bench, bench.batch, other_noise=True)
        same_real(bench, (seen, bench.batch), (other, bench.batch), "")
    except Breach as error:
        raise NotApplicable(
            "in training it draws noise, by the shape of the batch"
        ) from error
    padded, kept_then = _trained(bench, more)
    what = f"{MORE[-1]} more padding steps, in training"
    same_real(bench, (seen, bench.batch), (padded, more), what)
    for variable, x, y in zip(untrained(bench.layer), kept, kept_then):
        what = f"weight '{variable.name}' after a call with {MORE[-1]} more "
        same(x, y, str(variable.dtype), what + "padding steps", "")


def _trained(
    bench: Bench, batch: Batch, other_noise: bool = False
) -> tuple[Seen, list[np.ndarray]]:
    """A call in training, and what it leaves in weights that it keeps."""
    layer = bench.layer
    bench.restore()
    before = layer.get_weights()
    keras.utils.set_random_seed(bench.seed + other_noise)
    variables = untrained(layer)
    if other_noise:
        for variable in variables:
            if "seed_generator" in variable.name:
                variable.assign(variable + 1)
    seen = bench.call(layer, batch, training=True)
    kept = [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
    layer.set_weights(before)
    return seen, kept


@check("required", after=("runs-with-mask", "pad-value"))
def check_alone_equals_batched(bench: Bench) -> None:
    """A row alone, without padding, gives what it gives in a padded batch.

    Why: training sees padded batches, serving sees one sequence. They must be
        the same function.
    Cause: the number of steps, in place of the number of real steps, is in
        the formula; or windows that mix real steps and padding are called
        real.
    Wrong:
        x = ops.sum(real, axis=1) / ops.shape(x)[1]
    Right:
        x = keras_masking.ops.masked_mean(x, mask)
    """
    _any_length(bench)
    compared = _compare_alone(bench, bench.batch)
    left = bench.masked("left")
    steps = left.steps
    rows = [
        row
        for row in range(left.rows)
        if _aligned(bench, steps - int(left.given[row].sum()))
    ]
    compared += _compare_alone(bench, left, rows)
    if not compared:
        raise NotApplicable("no row gives a real output step")


def _compare_alone(
    bench: Bench, batch: Batch, rows: list[int] | None = None
) -> int:
    seen = bench.run(batch)
    compared = 0
    for row in range(batch.rows) if rows is None else rows:
        single = batches.alone(batch, row)
        try:
            lone = bench.run(single)
        except CallFailed as error:
            if _gives_nothing(bench, batch, row):
                continue  # too short for one window, and so not real
            if _refuses(bench, single):
                continue
            raise Breach(
                f"row {row} alone: {error.seen}", "in the batch it is real"
            ) from error
        compared += same_real(
            bench,
            (seen, batch),
            (lone, single),
            "in a padded batch and alone",
            rows=[(row, 0)],
        )
    return compared


def _refuses(bench: Bench, batch: Batch) -> bool:
    """Whether a layer without windows refuses the shape, mask or no mask."""
    if any(bench.has_steps) and not bench.keeps_steps:
        return False
    try:
        bench.run(batches.without_masks(batch))
    except CallFailed:
        return True
    return False


def _gives_nothing(bench: Bench, batch: Batch, row: int) -> bool:
    seen = bench.run(batch)
    real = all_real_steps(bench, seen, batch)
    return any(mask is not None and not mask[row].any() for mask in real)


@check("required", after=("runs-with-mask", "pad-value"))
def check_equal_sizes(bench: Bench) -> None:
    """Batch, steps and features of one size give no other answer.

    Why: a mask `(batch, steps)` broadcasts against `(steps, features)` without
        an error when the sizes agree, and masks the wrong thing.
    Cause: the mask is used without a feature axis: `mask`, where it should be
        `mask[..., None]`.
    Wrong:
        ops.where(mask, inputs, 0)
    Right:
        ops.where(mask[..., None], inputs, 0)
    """
    if bench.shape is not None:
        raise NotApplicable("the inputs have a shape of their own")
    size = SHAPE[2] if bench.case.inputs is None else bench.batch.rows
    square = bench.sibling((size, size, size))
    try:
        square.run(square.plain(square.batch))
    except CallFailed as error:
        raise NotApplicable("the layer is built for other sizes") from error
    for value in (8.0, -8.0):
        other = batches.fill(square.batch, value)
        what = f"all sizes {size}, other padding"
        same_runs(square, square.batch, other, what)
    for i, mask in enumerate(bench.base.masks):
        now = square.base.masks[i]
        if (mask is None) != (now is None):
            raise Breach(f"all sizes {size}: the output mask comes and goes")
    if not bench.case.columns and bench.longest is not None:
        # Of no new shape: `alone-equals-batched` has run rows of these lengths.
        _compare_alone(square, square.batch, [0, size - 1])
