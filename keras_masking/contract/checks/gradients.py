"""Gradients: finite, 0 at padding, and independent of it."""

import numpy as np

from keras_masking.array_compare import magnitude
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.compare import Runs
from keras_masking.contract.harness.compare import require_equal
from keras_masking.contract.harness.gradients import Gradients
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.training import needs_gradients
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check

PADDINGS = (0.0, 8.0, -8.0)


def _gradients(harness: LayerHarness) -> Gradients:
    needs_gradients()
    harness.needs_any_batch()
    found: Gradients = harness.once("gradients", lambda: Gradients(harness))
    return found


AFTER = ("runs-with-mask", "pad-value")


@check("required", after=AFTER)
def check_grad_finite(harness: LayerHarness) -> None:
    """Gradients of real outputs are finite.

    Why: a single NaN in a gradient ruins a training run. A `where` around a
        formula that fails at padding hides it in the forward pass, but not in
        the backward pass.
    Cause: the unsafe formula runs at padding steps. Its result is discarded,
        but its derivative is not.
    Wrong:
        ops.where(mask, ops.sqrt(x), 0)
    Right:
        ops.where(mask, ops.sqrt(ops.where(mask, x, 1)), 0)
    """
    for value in PADDINGS:
        by_x, weights = _gradients(harness)(batches.fill(harness.batch, value))
        _all_finite([g for g in by_x if g is not None], "x", value)
        _all_finite(weights, "the weights", value)


def _all_finite(found: list[np.ndarray], of: str, value: float) -> None:
    for gradient in found:
        bad = ~np.isfinite(gradient)
        if bad.any():
            raise ContractViolation(
                f"padding {value:g}: {int(bad.sum())} of {bad.size} gradients "
                f"of {of} are not finite"
            )


@check("required", after=AFTER)
def check_grad_zero_at_padding(harness: LayerHarness) -> None:
    """The gradient of real outputs at padding steps is exactly 0.

    Why: otherwise earlier layers learn from padding: for example, the vector of
        the padding id changes, and with it what other models read there.
    Cause: padding has a small weight instead of none, or real outputs depend on
        padding through a neighbouring step.
    Wrong:
        ops.softmax(scores + (1 - mask) * -10.0)
    Right:
        keras_masking.ops.masked_softmax(scores, mask)
    """
    if not any(batches.is_float(x) for x in harness.batch.leaves):
        raise NotApplicable("the inputs are integers")
    for kind in ("right", "left", "holes"):
        batch = batches.fill(harness.masked(kind), 8.0)
        by_x, _ = _gradients(harness)(batch)
        for i, (gradient, mask) in enumerate(
            zip(by_x, batch.masks, strict=True)
        ):
            if gradient is None or mask is None:
                continue
            at = np.abs(gradient[~mask])
            if not (at == 0).all():
                raise ContractViolation(
                    f"{kind} padding: a gradient of {np.nanmax(at):.3g} at "
                    "padding steps",
                    f"input {i}",
                )


@check("required", after=AFTER)
def check_grad_pad_value(harness: LayerHarness) -> None:
    """Values at padding steps change no gradient of real steps or weights.

    Why: training follows gradients: a weight that learns from padding learns
        how batches were made.
    Cause: padding is replaced only after the weights, or on one of several
        paths; or an intermediate value is stale.
    Wrong:
        y = x @ w; loss uses y at padding
    Right:
        x = ops.where(mask[..., None], x, 0) before the weights
    """
    results = [
        _gradients(harness)(batches.fill(harness.batch, v)) for v in PADDINGS
    ]
    by_x, weights = results[0]
    for value, (other_x, other_weights) in zip(PADDINGS[1:], results[1:]):
        runs = "with padding 0", f"with padding {value:g}"
        for i, (a, b) in enumerate(zip(by_x, other_x)):
            mask = harness.batch.masks[i]
            if a is not None and mask is not None:
                require_alike(a[mask], b[mask], runs, f"gradient by input {i}")
        for i, (a, b) in enumerate(zip(weights, other_weights)):
            require_alike(a, b, runs, f"gradient by weight {i}")


def require_alike(a: np.ndarray, b: np.ndarray, runs: Runs, where: str) -> None:
    """Raises `ContractViolation` unless two gradients agree."""
    require_equal(
        a, b, "float32", runs, where, scale=10 * max(magnitude(a), 0.01)
    )


@check("required", after=("runs-with-mask", "empty-row"))
def check_grad_empty_row(harness: LayerHarness) -> None:
    """A row without a real step has finite gradients, and 0 for its inputs.

    Why: an empty row must not ruin a training run.
    Cause: 0 / 0 or the logarithm of 0, hidden by a `where`.
    Wrong:
        ops.where(count > 0, total / count, 0)
    Right:
        total / ops.maximum(count, 1)
    """
    batch = batches.fill(harness.masked("empty"), 8.0)
    by_x, weights = _gradients(harness)(batch)
    _all_finite([g for g in by_x if g is not None], "x, an empty row", 8.0)
    _all_finite(weights, "the weights, an empty row", 8.0)
    for gradient, mask in zip(by_x, batch.masks, strict=True):
        if gradient is None or mask is None:
            continue
        if not (gradient[-1] == 0).all():
            raise ContractViolation("the gradient at an empty row is not 0")


@check("information", after=AFTER)
def check_grad_nan_padding(harness: LayerHarness) -> None:
    """NaN at padding steps reaches no gradient of real steps or weights.

    Why: otherwise a missing value stored as NaN ruins a training run. Keras'
        Dense and RNNs fail here inevitably: 0 * NaN in the gradient of a
        product.
    Cause: padding is replaced after the weights, not before.
    Wrong:
        ops.where(mask[..., None], self.dense(inputs), 0)
    Right:
        self.dense(ops.where(mask[..., None], inputs, 0))
    """
    if not any(batches.is_float(x) for x in harness.batch.leaves):
        raise NotApplicable("the inputs are integers")
    by_x, weights = _gradients(harness)(batches.fill(harness.batch, np.nan))
    _all_finite(weights, "the weights", np.nan)
    for gradient, mask in zip(by_x, harness.batch.masks, strict=True):
        if gradient is not None and mask is not None:
            _all_finite([gradient[mask]], "x at real steps", np.nan)
