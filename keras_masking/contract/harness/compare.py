"""Compares the real outputs of two calls of a layer."""

from typing import Any

import numpy as np

from keras_masking.array_compare import TOLERANCE
from keras_masking.array_compare import differences
from keras_masking.array_compare import magnitude
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.batches import alone
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.layer_calls import CallOutputs

# How each of two calls was made, for example "with padding 0".
Runs = tuple[str, str]


def real_steps(
    harness: LayerHarness, result: CallOutputs, output: int, batch: Batch
) -> np.ndarray | None:
    """Which values of an output are real; None for a pooled output.

    A boolean array with the axes of the output, up to its last axis of steps.

    On axis 1, those that the output's mask marks as real; for a layer that
    makes a mask, only if the input's mask does too. Without an output mask, and
    on other axes, those of the input if the sizes agree, else the first ones,
    as many as the row alone gives.
    """
    axes = harness.step_axes[output]
    if not axes:
        return None
    y = result.outputs[output]
    real = np.ones(y.shape[: max(axes) + 1], bool)
    for axis, leaf in axes.items():
        shape = [1] * real.ndim
        shape[0], shape[axis] = len(y), y.shape[axis]
        along = _real_on_axis(harness, result, output, batch, axis, leaf)
        real &= along.reshape(shape)
    return real


def all_real_steps(
    harness: LayerHarness, result: CallOutputs, batch: Batch
) -> list[np.ndarray | None]:
    """`real_steps` of each output."""
    count = len(result.outputs)
    return [real_steps(harness, result, i, batch) for i in range(count)]


def _real_on_axis(
    harness: LayerHarness,
    result: CallOutputs,
    output: int,
    batch: Batch,
    axis: int,
    leaf: int,
) -> np.ndarray:
    """Which steps on one axis are real, `(batch, steps)`."""
    y, mask = result.outputs[output], result.masks[output]
    shape = (len(y), y.shape[axis])
    sequence = list(harness.step_axes[output]) == [1]
    given = batch.mask if sequence else batch.masks[leaf]
    if axis == 1 and mask is not None and mask.shape == shape:
        real = mask.astype(bool)
        if harness.role == "generates" and given is not None:
            # `mask-combined` checks whether the layer ANDs the two.
            real = real & given if given.shape == shape else real
        return real
    if given is None:
        return np.ones(shape, bool)
    if given.shape == shape:
        return given
    return _counted_alone(harness, result, output, batch, axis)


def _counted_alone(
    harness: LayerHarness,
    result: CallOutputs,
    output: int,
    batch: Batch,
    axis: int,
) -> np.ndarray:
    # As many output steps as the row alone, unpadded, produces.
    steps = result.outputs[output].shape[axis]
    given = batch.given
    lengths = given.sum(axis=1)
    right = all(m[:n].all() for m, n in zip(given, lengths))
    if not right or harness.longest is None:
        has, check = "no mask", "mask-kept"
        if result.masks[output] is not None:
            has, check = "a mask of another shape", "mask-shape"
        raise NotApplicable(
            f"the output has {has}, and it is unknown which of its steps are "
            "real",
            blocked_by=check,
        )
    counts = []
    for row in range(batch.rows):
        if not lengths[row]:
            counts.append(0)  # on JAX, zero steps can give some
            continue
        try:
            lone = harness.run(alone(batch, row))
            counts.append(lone.outputs[output].shape[axis])
        except CallFailed:
            counts.append(0)  # too short for one window
    return np.array([np.arange(steps) < count for count in counts])


def require_equal_real(
    harness: LayerHarness,
    first: tuple[CallOutputs, Batch],
    second: tuple[CallOutputs, Batch],
    runs: Runs,
    rows: list[tuple[int, int]] | None = None,
) -> int:
    """Raises `ContractViolation` unless real outputs are equal, row by row.

    `runs` says of each call how it was made. `rows` pairs the rows of the two
    calls; by default, equal rows. Returns how many values were compared.
    """
    (a, batch_a), (b, batch_b) = first, second
    if len(a.outputs) != len(b.outputs):
        raise ContractViolation(
            f"{len(a.outputs)} outputs {runs[0]} and {len(b.outputs)} {runs[1]}"
        )
    compared = 0
    for i in range(len(a.outputs)):
        real_a = real_steps(harness, a, i, batch_a)
        real_b = real_steps(harness, b, i, batch_b)
        for row_a, row_b in rows or [(r, r) for r in range(batch_a.rows)]:
            x, y = a.outputs[i][row_a], b.outputs[i][row_b]
            if real_a is not None and real_b is not None:
                x, y = x[real_a[row_a]], y[real_b[row_b]]
            where = _where(harness, i, len(a.outputs), row_a, batch_a)
            scale = magnitude(a.outputs[i])
            try:
                require_equal(x, y, a.dtypes[i], runs, where, scale)
            except ContractViolation as violation:
                longer = batch_a.steps != batch_b.steps
                if longer and not (_fits(a, i) and _fits(b, i)):
                    violation.blocked_by = "mask-shape"
                raise
            compared += x.size
    return compared


def _fits(result: CallOutputs, output: int) -> bool:
    """Whether the output has no mask, or one of its shape."""
    y, mask = result.outputs[output], result.masks[output]
    return mask is None or mask.shape == y.shape[:2]


def require_equal_runs(
    harness: LayerHarness,
    first: Batch,
    second: Batch,
    runs: Runs,
    rows: list[tuple[int, int]] | None = None,
    **how: Any,
) -> int:
    """`require_equal_real` for two batches, each run with the options `how`."""
    one, other = ((harness.run(b, **how), b) for b in (first, second))
    return require_equal_real(harness, one, other, runs, rows)


def require_same_as_eager(
    harness: LayerHarness,
    result: CallOutputs,
    batch: Batch,
    how: str,
) -> None:
    """Compares with an eager call; `how` says how the result was made."""
    eager = harness.run(batch)
    for i, (a, b) in enumerate(zip(eager.outputs, result.outputs, strict=True)):
        now, was = result.masks[i], eager.masks[i]
        if (was is None) != (now is None):
            has = ("no mask", "a mask")
            raise ContractViolation(
                f"{has[was is not None]} in an eager call and "
                f"{has[now is not None]} {how}",
                f"output {i}",
            )
        if (
            was is not None
            and now is not None
            and (was.shape != now.shape or (was != now).any())
        ):
            raise ContractViolation(
                f"the mask of an eager call differs from that {how}",
                f"output {i}",
            )
        real = real_steps(harness, eager, i, batch)
        if a.shape != b.shape:
            raise ContractViolation(
                f"shape {a.shape} in an eager call and {b.shape} {how}"
            )
        a, b = (a, b) if real is None else (a[real], b[real])
        runs = "in an eager call", how
        require_equal(a, b, eager.dtypes[i], runs, f"output {i}")


def require_equal(
    x: np.ndarray,
    y: np.ndarray,
    dtype: str,
    runs: Runs,
    where: str,
    scale: float | None = None,
) -> None:
    """Raises `ContractViolation` unless two arrays agree within tolerance."""
    if x.shape != y.shape:
        raise ContractViolation(
            f"{_count(x)} {runs[0]} and {_count(y)} {runs[1]}", where
        )
    size = magnitude(x) if scale is None else scale
    allowed = TOLERANCE.get(dtype, 0.0) * max(size, 1e-3)
    gap = differences(x, y)
    far = gap > allowed
    if not far.any():
        return
    worst = np.unravel_index(int(gap.argmax()), gap.shape)
    index = ", ".join(str(int(k)) for k in worst)
    one, other = float(x[worst]), float(y[worst])
    raise ContractViolation(
        f"value [{index}] is {one:.6g} {runs[0]} and {other:.6g} {runs[1]}; "
        f"{int(far.sum())} of {far.size} differ (allowed {allowed:.1e})",
        where,
    )


def _count(x: np.ndarray) -> str:
    steps = len(x) if x.ndim else 1
    return f"{steps} real step{'s' * (steps != 1)}"


def _where(
    harness: LayerHarness, output: int, outputs: int, row: int, batch: Batch
) -> str:
    name = f"output {output}, " if outputs > 1 else ""
    return f"{name}row {row} of {batch.rows}{show_mask(batch.mask, row)}"


def show_mask(mask: np.ndarray | None, row: int) -> str:
    if mask is None:
        return ", no mask"
    return ", mask " + "".join("T" if m else "F" for m in mask[row])


def require_finite(
    result: CallOutputs, real: list[np.ndarray | None], what: str
) -> None:
    """Raises `ContractViolation` unless all real outputs are finite."""
    for i, y in enumerate(result.outputs):
        mask = real[i]
        at = y if mask is None else y[mask]
        if at.dtype.kind == "f" and not np.isfinite(at).all():
            bad = int((~np.isfinite(at)).sum())
            raise ContractViolation(
                f"{what}: {bad} of {at.size} values are not finite"
            )


def require_finite_last_row(result: CallOutputs, what: str = "") -> None:
    """The last row, which has no real step, must be finite."""
    for i, y in enumerate(result.outputs):
        if y.dtype.kind == "f" and not np.isfinite(y[-1]).all():
            bad = y[-1][~np.isfinite(y[-1])].ravel()[0]
            raise ContractViolation(
                f"{what}a row without a real step gives {bad}",
                f"output {i}, row {len(y) - 1} of {len(y)}",
            )


def is_finite(result: CallOutputs) -> bool:
    """Whether all outputs are finite, including padding."""
    floats = (y for y in result.outputs if y.dtype.kind == "f")
    return all(np.isfinite(y).all() for y in floats)


def float_outputs(harness: LayerHarness) -> list[int]:
    """The indices of the outputs that have a gradient."""
    found = [
        i for i, dtype in enumerate(harness.base.dtypes) if "float" in dtype
    ]
    if not found:
        raise NotApplicable("no output is a float")
    return found
