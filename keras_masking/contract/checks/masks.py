"""Output masks: their presence, shape and dtype."""

import warnings

from keras_masking.contract.checks.calls import overrides_compute_mask
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.layer_harness import MORE
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.mask_line import mask_of_steps
from keras_masking.contract.harness.packing import makes_segments
from keras_masking.contract.harness.packing import takes_packed
from keras_masking.contract.harness.roles import infer_role
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check


@check("required")
def check_role_consistent(harness: LayerHarness) -> None:
    """The declared role matches what the layer does.

    Why: the role decides which checks apply; a wrong one would hide a
        violation.
    Cause: the role was declared for another layer, or the layer lost its mask.
    Wrong:
        Case(GlobalAveragePooling1D, role="passes")
    Right:
        Case(GlobalAveragePooling1D, role="reduces")
    """
    declared = harness.case.role
    if declared is None:
        raise NotApplicable("no role is declared")
    emits = any(mask is not None for mask in harness.base.masks)
    if declared == "drops":
        if emits:
            raise ContractViolation(
                "declared `drops`, but an output carries a mask"
            )
        return
    if declared == "generates":
        plain = harness.run(batches.without_masks(harness.batch))
        if all(mask is None for mask in plain.masks):
            raise ContractViolation(
                "declared `generates`, but without a mask on its input no "
                "output carries one"
            )
    inferred = infer_role(harness)
    if inferred != declared and {inferred, declared} not in (
        {"passes", "transforms"},
        {"generates", "transforms"},
        {"generates", "passes"},
        {"generates", "merges"},
        {"transforms", "merges"},
        {"passes", "merges"},
        {"reduces", "merges"},
    ):
        raise ContractViolation(f"declared `{declared}`, but it {inferred}")


@check("required", after=("runs-without-mask",))
def check_no_mask_in_none_out(harness: LayerHarness) -> None:
    """Without an input mask, the output has none, unless the layer makes one.

    Why: a mask made from nothing turns an unmasked model into a masked one,
        with all costs and changes downstream.
    Cause: `compute_mask` makes an all-True mask instead of returning None.
    Wrong:
        mask = ops.ones(ops.shape(inputs)[:2]) if mask is None else mask
    Right:
        if mask is None: return None
    """
    if harness.role == "generates":
        raise NotApplicable("the layer makes a mask")
    if takes_packed(harness) and makes_segments(harness):
        raise NotApplicable("the mask says which slots have a sequence")
    result = harness.run(batches.without_masks(harness.batch))
    if any(mask is not None for mask in result.masks):
        raise ContractViolation(
            "no input has a mask, but an output carries one"
        )


@check("required", roles=("passes", "merges", "transforms", "generates"))
def check_mask_kept(harness: LayerHarness) -> None:
    """A layer that keeps the steps passes their mask on.

    Why: otherwise every later layer, and the loss, takes padding for data.
        Keras warns at best.
    Cause: `supports_masking` is not set; or `call` loses the mask and
        `compute_mask` returns None.
    Wrong:
        class Scale(keras.layers.Layer):
            def call(self, x): return x * 2
    Right:
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True
    """
    harness.needs_keras_mask()
    if not harness.sequences:
        raise NotApplicable("no output is a sequence")
    for i in harness.sequences:
        mask = harness.base.masks[i]
        if mask is None:
            raise ContractViolation(
                "the output keeps its steps but carries no mask",
                f"output {i}, `supports_masking` is "
                f"{harness.layer.supports_masking}",
            )
        given = harness.batch.given
        judged = not overrides_compute_mask(harness.layer)
        if judged and mask.shape == given.shape and (mask != given).any():
            raise ContractViolation(
                "the output mask differs from the input mask",
                f"output {i}",
            )


@check("required")
def check_mask_dropped(harness: LayerHarness) -> None:
    """An output without a step axis carries no mask of steps.

    Why: a stale mask `(batch, steps)` on `(batch, features)` makes the next
        layer fail, or mask features if the sizes happen to agree.
    Cause: `supports_masking` is set on a pooling layer with the default
        `compute_mask`, which passes the mask on.
    Wrong:
        self.supports_masking = True  # and nothing else
    Right:
        def compute_mask(self, inputs, mask=None): return None
    """
    pooled = [i for i, has in enumerate(harness.has_steps) if not has]
    if not pooled:
        raise NotApplicable("every output has a step axis")
    for i in pooled:
        mask, y = harness.base.masks[i], harness.base.outputs[i]
        if mask is not None:
            raise ContractViolation(
                f"an output of shape {y.shape} carries a mask of shape "
                f"{mask.shape}",
                f"output {i}",
            )


@check("required")
def check_mask_shape(harness: LayerHarness) -> None:
    """The mask of an output has the shape of its first two axes.

    Why: the next layer pairs mask and steps by position.
    Cause: the layer changes the number of steps, but `compute_mask` passes on
        the mask of the input. Select the steps from which the outputs come:
        `mask[:, ::2]` for every second one; for windows or stacks of steps,
        those that are real as a whole, as below.
    Wrong:
        def call(self, x): return ops.reshape(x, (-1, steps // 2, 2 * features))
    Right:
        def compute_mask(self, x, mask=None):
            if mask is None: return None
            return keras_masking.ops.window_mask(mask, 2, strides=2)
    """
    some = _require_masks_that_fit(harness, harness.batch)
    if not some:
        raise NotApplicable("no output with steps carries a mask")
    if harness.longest is None or harness.case.columns:
        return
    for more in MORE:
        try:
            _require_masks_that_fit(harness, batches.pad(harness.batch, more))
        except CallFailed:
            continue  # `pad-length` reports it


def _require_masks_that_fit(harness: LayerHarness, batch: Batch) -> bool:
    """Whether an output with steps carries a mask."""
    result, some = harness.run(batch), False
    for i, (y, mask) in enumerate(zip(result.outputs, result.masks)):
        if mask is None or not harness.has_steps[i]:
            continue
        some = True
        if mask.shape != y.shape[:2]:
            raise ContractViolation(
                f"for an input of {batch.steps} steps, an output of shape "
                f"{y.shape} carries a mask of shape {mask.shape}, not "
                f"{y.shape[:2]}",
                f"output {i}",
                **mask_of_steps(harness, i),
            )
    return some


@check("required")
def check_mask_dtype(harness: LayerHarness) -> None:
    """The mask of an output is boolean.

    Why: layers combine masks with `ops.logical_and` and select with
        `ops.where`; a float mask gets multiplied somewhere, and 0 * NaN is NaN.
    Cause: the mask was cast for arithmetic, and the cast mask is returned.
    Wrong:
        def compute_mask(self, x, mask=None): return ops.cast(mask, "float32")
    Right:
        return mask
    """
    masks = [mask for mask in harness.base.masks if mask is not None]
    if not masks:
        raise NotApplicable("no output carries a mask")
    for i, mask in enumerate(masks):
        if mask.dtype != bool:
            raise ContractViolation(
                f"a mask is {mask.dtype}, not bool", f"mask {i}"
            )


@check("required")
def check_mask_structure(harness: LayerHarness) -> None:
    """`compute_mask` returns one mask for each output.

    Why: Keras pairs masks and outputs and stops at the shorter list, so that
        some outputs get no mask, without a warning.
    Cause: the layer has several outputs but returns the mask of one.
    Wrong:
        def compute_mask(self, x, mask=None): return mask
    Right:
        def compute_mask(self, x, mask=None): return [mask, mask]
    """
    outputs = harness.base.outputs
    if len(outputs) < 2:
        raise NotApplicable("the layer has one output")
    without = [
        i
        for i, mask in enumerate(harness.base.masks)
        if i in harness.sequences and mask is None
    ]
    if without and any(mask is not None for mask in harness.base.masks):
        raise ContractViolation(
            f"{len(outputs)} outputs, and no mask on output {without[0]}"
        )


@check("advised", after=("runs-with-mask",))
def check_no_destroy_warning(harness: LayerHarness) -> None:
    """Keras does not warn that a layer which handles masks destroys them.

    Why: false warnings teach people to ignore true ones.
    Cause: `supports_masking` is False. A layer that drops the mask on purpose
        overrides `compute_mask` to return None.
    Wrong:
        def call(self, x, mask=None): return masked_mean(x, mask)
    Right:
        def compute_mask(self, inputs, mask=None): return None
    """
    harness.needs_keras_mask()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        harness.call(harness.case.make(), harness.batch)
    for warning in caught:
        if "destroy" in str(warning.message) and "mask" in str(warning.message):
            raise ContractViolation(
                "Keras warns: " + str(warning.message).split(".")[0]
            )


@check("advised", roles=("generates",))
def check_mask_combined(harness: LayerHarness) -> None:
    """A layer that makes a mask ANDs it with the mask that its input carries.

    Why: steps that are known to be padding must not become real again.
        `keras.layers.Embedding` and `Masking` ignore the mask of their input,
        by design.
    Cause: `compute_mask` ignores its `mask` argument.
    Wrong:
        def compute_mask(self, ids, mask=None): return ops.not_equal(ids, 0)
    Right:
        own = ops.not_equal(ids, 0)
        return own if mask is None else ops.logical_and(own, mask)
    """
    harness.needs_keras_mask()
    given = harness.batch.given
    judged = False
    for value in (0.0, 8.0):  # one of these may be padding to the layer
        result = harness.run(batches.fill(harness.batch, value))
        for i, mask in enumerate(result.masks):
            if mask is None or mask.shape != given.shape:
                continue
            judged = True
            if (mask.astype(bool) & ~given).any():
                raise ContractViolation(
                    "steps that are padding in the input's mask are real in "
                    "the output's",
                    f"output {i}",
                )
    if not judged:
        raise NotApplicable("no output has the steps of the input")
