"""Calls with and without a mask, and whether the mask reaches the layer."""

import inspect
from typing import Any

import keras
import numpy as np

from keras_masking import layer_calls
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import require_equal
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check


@check("required", after=())
def check_runs_with_mask(harness: LayerHarness) -> None:
    """A call on inputs that carry a mask does not raise.

    Why: a mask travels with its tensor to every layer of the model, whether or
        not the author of a layer thought of masks.
    Cause: `call` uses the mask as if it had the shape of the inputs; it is
        `(batch, steps)`, without a feature axis.
    Wrong:
        scores = scores + (1.0 - ops.cast(mask, scores.dtype)) * -1e9
    Right:
        scores = ops.where(mask[:, :, None], scores, -1e9)
    """
    harness.run(harness.batch)


@check("required", after=())
def check_runs_without_mask(harness: LayerHarness) -> None:
    """A call on inputs without a mask does not raise.

    Why: a mask is optional in Keras: `mask=None` means that all steps are real.
        A layer that insists on a mask does not work in models without one.
    Cause: `call` or `compute_mask` uses `mask` without checking for `None`, or
        the parameter has no default. Or the layer is declared
        `requires_mask=True` but works without a mask.
    Wrong:
        def call(self, inputs, mask): return ops.where(mask[..., None], ...)
    Right:
        def call(self, inputs, mask=None):
            if mask is None:
                return inputs
    """
    plain = batches.without_masks(harness.batch)
    if harness.case.requires_mask:
        try:
            harness.call(harness.layer, plain)
        except CallFailed:
            pass  # as declared
        else:
            raise ContractViolation(
                "declared `requires_mask=True`, but a call without a mask works"
            )
    harness.run(plain)


@check("required")
def check_declares_support(harness: LayerHarness) -> None:
    """A layer that takes a mask or overrides `compute_mask` supports masking.

    Why: without `supports_masking`, Keras drops the mask after the layer and
        warns, whatever the layer does with it.
    Cause: `self.supports_masking = True` is missing, or comes before
        `super().__init__()`, which resets it.
    Wrong:
        def __init__(self):
            self.supports_masking = True
            super().__init__()
    Right:
        def __init__(self):
            super().__init__()
            self.supports_masking = True
    """
    harness.needs_keras_mask()
    takes = bool(layer_calls.mask_parameters(harness.layer))
    if not takes and not overrides_compute_mask(harness.layer):
        raise NotApplicable("the layer neither takes nor makes a mask")
    if not harness.layer.supports_masking:
        what = (
            "`call` takes a mask" if takes else "`compute_mask` is overridden"
        )
        raise ContractViolation(
            f"{what}, but `layer.supports_masking` is False"
        )


def overrides_compute_mask(layer: Any) -> bool:
    return type(layer).compute_mask is not keras.layers.Layer.compute_mask


@check("required")
def check_mask_arg_reachable(harness: LayerHarness) -> None:
    """The mask parameter of `call` has a name to which Keras passes masks.

    Why: Keras passes a mask as `mask` if one argument is a tensor, and as
        `<argument>_mask` if several are. A parameter with any other name gets
        nothing, without a warning.
    Cause: the parameter is named `mask` although `call` takes two tensors, or
        has another name.
    Wrong:
        def call(self, query, value, mask=None): ...
    Right:
        def call(self, query, value, query_mask=None, value_mask=None): ...
    """
    harness.needs_keras_mask()
    parameters = inspect.signature(harness.layer.call).parameters
    named = layer_calls.mask_parameters(harness.layer)
    if not named:
        raise NotApplicable("`call` takes no mask")
    filled = harness.received()
    if not filled:
        unfilled = " and ".join(f"`{name}`" for name in named)
    elif isinstance(harness.structure, tuple):
        # `key_mask` may be None if the argument `key` is None too.
        unfilled = " and ".join(
            f"`{name}`"
            for name in named
            if name not in filled
            and name.removesuffix("_mask") not in parameters
        )
    else:
        unfilled = ""
    if unfilled and not filled and _knows_the_mask(harness):
        raise NotApplicable("the layer reads its mask from the tensor")
    if unfilled:
        raise ContractViolation(
            f"the inputs carry masks, but `call` gets None for {unfilled}"
        )


def _knows_the_mask(harness: LayerHarness) -> bool:
    """Whether a mask changes the outputs, though no argument received it."""
    try:
        plain = harness.run(batches.without_masks(harness.batch))
    except CallFailed:
        return False
    outputs = zip(harness.base.outputs, plain.outputs)
    return not all(np.array_equal(a, b) for a, b in outputs)


@check("required", after=())
def check_compute_mask_signature(harness: LayerHarness) -> None:
    """`compute_mask` takes inputs and a mask by position; the mask may be None.

    Why: Keras calls `compute_mask(inputs, previous_mask)` by position, in eager
        and in symbolic calls, even without a mask.
    Cause: the second parameter is missing or keyword-only, or the body uses the
        mask without checking for `None`.
    Wrong:
        def compute_mask(self, inputs, *, mask): return mask[:, ::2]
    Right:
        def compute_mask(self, inputs, mask=None):
            return None if mask is None else mask[:, ::2]
    """
    if not overrides_compute_mask(harness.layer):
        raise NotApplicable("`compute_mask` is not overridden")
    inputs = harness.pack(
        harness.tensors(harness.batch, attached=False),
        harness.given_tensor(harness.batch),
    )
    first = inputs[0] if isinstance(harness.structure, tuple) else inputs
    masks = harness.pack(list(harness.batch.masks))
    mask = masks[0] if isinstance(harness.structure, tuple) else masks
    mask = keras.tree.map_structure(_tensor, mask)
    nothing = keras.tree.map_structure(lambda _: None, harness.structure)
    nothing = None if nothing == 0 or isinstance(nothing, tuple) else nothing
    for given, word in ((nothing, "None"), (mask, "a mask")):
        try:
            harness.layer.compute_mask(first, given)
        except Exception as error:
            raise CallFailed(
                error, f"`compute_mask(inputs, {word})`"
            ) from error


def _tensor(mask: Any) -> Any:
    return None if mask is None else layer_calls.new_tensor(mask)


@check("required")
def check_input_not_mutated(harness: LayerHarness) -> None:
    """A call changes neither the values of its inputs nor their masks.

    Why: the caller uses its tensor again, for example in a residual connection.
        Keras' MultiHeadAttention deletes the mask of its caller's tensor, so
        that the next block attends to padding.
    Cause: an in-place operation, a mask set on an argument, or an argument
        returned as the output, on which Keras then sets a mask.
    Wrong:
        inputs._keras_mask = None
    Right:
        outputs = ops.copy(inputs)
    """
    harness.restore()
    batch = harness.batch
    tensors = harness.tensors(batch)
    given = harness.given_tensor(batch)
    harness.apply(harness.layer, tensors, given, **harness.kwargs(batch))
    leaves, masks = batch.leaves, batch.masks
    if harness.argument is not None:
        tensors = [*tensors, given]
        leaves = (*leaves, np.asarray(harness.given(batch)))
        masks = (None,) * len(leaves)
    after = layer_calls.read_outputs(tensors)
    for i, (x, mask) in enumerate(zip(leaves, masks, strict=True)):
        where = f"input {i}" if len(leaves) > 1 else "the input"
        runs = "before a call", "after it"
        require_equal(x, after.outputs[i], "exact", runs, where)
        now = after.masks[i]
        if mask is not None and now is None:
            raise ContractViolation(
                "a call deleted the mask of the caller's tensor", where
            )
        if now is not None and (mask is None or not np.array_equal(now, mask)):
            raise ContractViolation(
                "a call changed the mask of the caller's tensor", where
            )


@check("required")
def check_repeatable(harness: LayerHarness) -> None:
    """A second call with the same inputs gives the same outputs.

    Why: what a call leaves behind, for example a mask on `self`, changes the
        outputs for the next batch.
    Cause: `call` stores its mask or inputs on `self` and uses them later. (A
        layer with `stateful=True` keeps states by design; the check resets
        them.)
    Wrong:
        self.mask = mask if mask is not None else self.mask
    Right:
        # use the local `mask`, which is None without a mask
    """
    plain = batches.without_masks(harness.batch)
    layer = harness.case.make()  # one that never got a mask
    try:
        harness.call(layer, plain)
    except CallFailed:
        plain = harness.batch
        harness.call(layer, plain)
    before = _called_again(harness, layer, plain)
    # Calls with other masks in between must have no effect.
    for kind in ("right", "left"):
        harness.call(layer, harness.masked(kind))
    after = _called_again(harness, layer, plain)
    for i, (x, y) in enumerate(zip(before.outputs, after.outputs)):
        runs = "at first", "after calls with other masks"
        require_equal(x, y, before.dtypes[i], runs, f"output {i}")
        was, now = before.masks[i], after.masks[i]
        if was is None or now is None:
            changed = was is not now
        else:
            changed = not np.array_equal(was, now)
        if changed:
            raise ContractViolation(
                "a call after other calls gives another mask"
            )


def _called_again(
    harness: LayerHarness, layer: Any, batch: Batch
) -> layer_calls.CallOutputs:
    """A call from the first states of the layer under test."""
    harness.restore(layer)
    return harness.call(layer, batch)
