"""Half precision: finite, independent of padding, right over many steps."""

import math
from dataclasses import replace

import numpy as np

from keras_masking import layer_calls
from keras_masking.array_compare import magnitude
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import all_real_steps
from keras_masking.contract.harness.compare import is_finite
from keras_masking.contract.harness.compare import require_equal_runs
from keras_masking.contract.harness.compare import require_finite
from keras_masking.contract.harness.compare import require_finite_last_row
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check

POLICIES = ("mixed_float16", "mixed_bfloat16")
STEPS, VALUE = 320, 400.0  # their product overflows in float16
PADDED_ROW = 1


def _half(harness: LayerHarness, policy: str) -> LayerHarness:
    """The same layer under a policy of half precision, with its weights."""
    found: LayerHarness = harness.once(
        policy, lambda: _make_half(harness, policy)
    )
    return found


def _make_half(harness: LayerHarness, policy: str) -> LayerHarness:
    half = harness.sibling(harness.shape, policy)
    half.layer.set_weights(harness.layer.get_weights())
    return half


def _needs_floats(harness: LayerHarness) -> None:
    if not any("float" in dtype for dtype in harness.base.dtypes):
        raise NotApplicable("no output is a float")


@check("advised", after=("runs-with-mask", "pad-value"))
def check_mixed_precision(harness: LayerHarness) -> None:
    """In half precision, masks stay boolean and values independent of padding.

    A row without a real step is finite there too.

    Why: large models are trained in half precision. A mask that is cast with
        the inputs, or a constant such as -1e9 that float16 cannot hold, shows
        only there.
    Cause: `mask` is cast to the compute dtype, or a constant overflows.
    Wrong:
        scores - 1e9 * (1 - ops.cast(mask, scores.dtype))
    Right:
        ops.where(mask[..., None], scores, -float("inf"))
    """
    _needs_floats(harness)
    for policy in POLICIES:
        half = _half(harness, policy)
        first = batches.fill(half.batch, 0.0)
        other = batches.fill(half.batch, 8.0)
        result = half.run(first)
        for i, (mask, was) in enumerate(zip(result.masks, harness.base.masks)):
            if (mask is None) != (was is None):
                raise ContractViolation(
                    f"{policy}: the output mask appears or vanishes",
                    f"output {i}",
                )
            if mask is not None and mask.dtype != bool:
                raise ContractViolation(f"{policy}: the mask is {mask.dtype}")
        require_finite(result, all_real_steps(half, result, first), policy)
        runs = f"in {policy} with padding 0", "with padding 8"
        require_equal_runs(half, first, other, runs)
        _empty_row(harness, half, policy)


def _empty_row(harness: LayerHarness, half: LayerHarness, policy: str) -> None:
    """A row without a real step is finite, unless it is not in float32."""
    batch = batches.fill(half.masked("empty"), 0.0)
    if harness.batch.rows < 2 or not is_finite(harness.run(batch)):
        return  # `empty-row` reports it
    require_finite_last_row(half.run(batch), f"{policy}: ")


@check("required", after=("runs-with-mask", "mixed-precision"))
def check_precision(harness: LayerHarness) -> None:
    """In half precision, hundreds of large values stay finite and accurate.

    Why: a sum of many steps in float16 overflows or stops growing.
        `GlobalAveragePooling1D` does so if it gets a mask.
    Cause: the masked path sums in the compute dtype.
    Wrong:
        ops.sum(inputs * ops.cast(mask, inputs.dtype)[..., None], axis=1)
    Right:
        ops.sum(ops.cast(real, "float32"), axis=1)  # cast back once, at the end
    """
    _needs_floats(harness)
    if harness.longest is None:
        raise NotApplicable("the layer is built for one number of steps")
    pairs = zip(harness.batch.leaves, harness.batch.masks, strict=True)
    harness.needs_any_batch()
    if not all(m is not None and batches.is_float(x) for x, m in pairs):
        raise NotApplicable("the inputs are not all sequences of floats")
    batch = _many_steps(harness)
    wide = harness.run(batch)
    real = all_real_steps(harness, wide, batch)
    judged = [_judge(harness, policy, batch, wide, real) for policy in POLICIES]
    if not any(judged):
        raise NotApplicable("without a mask it is not finite either")


def _judge(
    harness: LayerHarness,
    policy: str,
    batch: Batch,
    wide: layer_calls.CallOutputs,
    real: list[np.ndarray | None],
) -> bool:
    """Whether the check applies: without a mask, the outputs are finite."""
    half = _half(harness, policy)
    what = f"{policy}, {STEPS} steps of {VALUE:g}"
    allowed = {"mixed_float16": 0.02, "mixed_bfloat16": 0.1}[policy]
    result = half.run(batch)
    errors = [
        (i, _error(_at(a, real[i]), _at(b, real[i])))
        for i, (a, b) in enumerate(zip(wide.outputs, result.outputs))
        if a.dtype.kind == "f"
    ]
    if all(error <= allowed for _, error in errors):
        return True
    # The rounding error that occurs without a mask as well is no failure: of
    # all steps, or of the padded row alone, without its padding.
    plain = batch, batches.alone(batch, PADDED_ROW)
    unmasked = [half.run_plain(one) for one in plain]
    if not all(map(is_finite, unmasked)):
        return False
    require_finite(result, real, what)
    exact = [harness.run_plain(one) for one in plain]
    for i, error in errors:
        inherent = max(
            _error(a.outputs[i], b.outputs[i]) for a, b in zip(exact, unmasked)
        )
        if error > allowed + 2 * inherent:
            raise ContractViolation(
                f"{what}: a relative error of {error:.2g} (allowed: {allowed} "
                f"plus twice the {inherent:.2g} without a mask)",
                f"output {i}",
            )
    return True


def _at(y: np.ndarray, real: np.ndarray | None) -> np.ndarray:
    return y if real is None else y[real]


def _error(a: np.ndarray, b: np.ndarray) -> float:
    if not a.size:
        return 0.0
    error = float(np.abs(a - b).max()) / max(magnitude(a), 1e-6)
    return math.inf if math.isnan(error) else error


def _many_steps(harness: LayerHarness) -> Batch:
    rng = harness.new_rng()
    leaves, masks = [], []
    for x in harness.batch.leaves:
        shape = (2, STEPS, *x.shape[2:])
        wide = VALUE * rng.uniform(0.9, 1.1, size=shape)
        leaves.append(wide.astype(x.dtype))
        mask = np.ones((2, STEPS), bool)
        mask[PADDED_ROW, STEPS * 3 // 4 :] = False
        masks.append(mask)
    return replace(harness.batch, leaves=tuple(leaves), masks=tuple(masks))
