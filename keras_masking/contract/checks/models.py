"""Models: padding changes no real output, however the model is run."""

import keras

from keras_masking.contract.harness.model_harness import ModelHarness
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check
from keras_masking.inspector.measuring.changes import LEFT
from keras_masking.inspector.measuring.changes import VALUES
from keras_masking.inspector.measuring.measures import not_finite

AFTER = ("model-runs",)


@check("required", kind="model", after=())
def check_model_runs(harness: ModelHarness) -> None:
    """The model runs on padded inputs, and its real outputs are finite.

    More or less padding must have been tried, or nothing is known of the model.

    Why: a batch has padding, and may have rows without a real step.
    Cause: a layer does not take the mask that it gets, or divides by the number
        of real steps of a row that has none.
    Wrong:
        return ops.sum(x * mask, axis=1) / ops.sum(mask, axis=1)
    Right:
        return keras_masking.ops.masked_mean(x, mask)
    """
    report = harness.report
    if report.error:
        cause, right = "", ""
        if report.findings:
            cause, right = harness.blames(report.findings[0])
        raise ContractViolation(
            f"it raised {report.error}", cause=cause, right=right
        )
    row = not_finite(harness.found.base.root, harness.found.masks)
    if row is not None:
        raise ContractViolation(
            "real outputs are NaN or infinite, though the inputs are finite",
            f"row {row}",
        )
    harness.needs_padding()


@check("required", kind="model", after=AFTER)
def check_model_more_padding(harness: ModelHarness) -> None:
    """More padding, or less that all rows share, changes no real output.

    It is added on the side where the inputs have theirs.

    Why: the length of a batch is that of its longest sequence, so the answer
        for a sequence depends on its neighbours.
    Cause: a layer mixes steps and does not get the mask, or ignores it.
    Wrong:
        x = keras.layers.GlobalMaxPooling1D()(x)
    Right:
        x = keras_masking.layers.MaskedGlobalMaxPooling1D()(x)
    """
    outcomes = [
        o
        for o in harness.found.outcomes
        if o.change.length and o.change.counts and not o.change.rows
    ]
    harness.require_unmoved(outcomes)


@check("required", kind="model", after=AFTER)
def check_model_alone_equals_batched(harness: ModelHarness) -> None:
    """A row alone, without its padding, gives what it gives in the batch.

    Why: a model that serves one sequence at a time gives the numbers of its
        tests only then.
    Cause: rows of the batch are mixed, or a layer counts the padding of a row.
    Wrong:
        x = x - ops.mean(x, axis=0)
    Right:
        x = keras_masking.layers.MaskedGroupNormalization(1)(x)
    """
    outcomes = [o for o in harness.found.outcomes if o.change.rows]
    if not outcomes:
        raise NotApplicable("no row with a real step has padding")
    harness.require_unmoved(outcomes)


@check("required", kind="model", after=AFTER)
def check_model_pad_value(harness: ModelHarness) -> None:
    """Other values at padding steps, NaN included, change no real output.

    Only where the mask is not made from these values.

    Why: what stands at padding depends on who made the batch.
    Cause: a layer multiplies by the mask, and NaN * 0 is NaN, or does not get
        the mask.
    Wrong:
        x = x * ops.cast(mask, x.dtype)[..., None]
    Right:
        x = ops.where(mask[..., None], x, 0)
    """
    other = [o for o in harness.found.outcomes if o.change.what == VALUES]
    for outcome in other:
        if outcome.starts is not None and not outcome.change.counts:
            raise NotApplicable(
                "all padding steps hold one value, so other values are no "
                "padding"
            )
    harness.require_unmoved([*other, *harness.with_nan()])


@check("required", kind="model", after=AFTER)
def check_model_mask_reaches_outputs(harness: ModelHarness) -> None:
    """Each output with steps carries a mask, which the loss needs.

    Why: Keras takes the mask of the loss from the output. Without one, the
        model learns to predict padding.
    Cause: a layer keeps the steps and returns no mask.
    Wrong:
        x = MyLayer()(x)  # without `supports_masking`
    Right:
        x = keras_masking.layers.KeepMask(MyLayer())(x)
    """
    harness.needs_padding()
    outputs = harness.report.outputs
    for output in outputs:
        if output.reached is False:
            cause, right = "", ""
            if output.lost_by is not None:
                lost = harness.report.calls[output.lost_by]
                cause, right = harness.blames(lost)
            raise ContractViolation(
                f"the output `{output.name}` {output.tensor.shape} carries no "
                "mask",
                cause=cause,
                right=right,
            )
    if not any(output.reached for output in outputs):
        masks = any(call.role for call in harness.report.calls)
        raise NotApplicable(
            "no output has steps"
            if masks
            else "the model makes no mask of Keras, so its loss gets none: "
            "pass weights that are 0 at padding"
        )


@check("required", kind="model", after=AFTER)
def check_model_save_load(harness: ModelHarness) -> None:
    """Saved and loaded, the model gives the same real outputs.

    Why: a model is trained once and loaded many times. A flag that is lost on
        the way turns masking off in production.
    Cause: `get_config` of a layer omits an argument, or a layer holds numbers
        that are no weights.
    Wrong:
        def get_config(self): return super().get_config()
    Right:
        def get_config(self):
            return {**super().get_config(), "scale": self.scale}
    """
    harness.needs_padding()
    harness.require_same(harness.call_loaded(), "loaded,")


@check("required", kind="model", after=AFTER)
def check_model_compiled(harness: ModelHarness) -> None:
    """`predict`, which compiles the model, gives the outputs of a plain call.

    Why: a model is trained and used compiled.
    Cause: a layer asks in Python for the values of a mask, which a compiled
        function does not have, and goes on without it.
    Wrong:
        if not keras.ops.is_tensor(mask) or bool(mask.all()): return x
    Right:
        return ops.where(mask[..., None], x, 0)
    """
    harness.needs_padding()
    model, backend = harness.model, keras.backend.backend()
    graphs = backend in ("tensorflow", "jax") and not model.run_eagerly
    if not (graphs or model.jit_compile is True):
        raise NotApplicable("`predict` does not compile it here")
    if any(mask is not None for mask in harness.found.given.masks):
        raise NotApplicable("the inputs carry masks, which `predict` loses")
    harness.require_same(harness.predict(), "in `predict`,")


@check("information", kind="model", after=AFTER)
def check_model_left_padding(harness: ModelHarness) -> None:
    """More padding on the left changes no real output.

    Why: generation pads on the left. A model that counts steps from the left,
        and is right for padding on the right, gives other answers there.
    Cause: positions are numbers of columns, or the first or last column is
        taken for the first or last step.
    Wrong:
        x = x[:, -1]
    Right:
        x = keras_masking.layers.LastStep()(x)
    """
    outcomes = [o for o in harness.found.outcomes if o.change.what == LEFT]
    if any(o.change.counts for o in outcomes):
        raise NotApplicable(
            "the inputs are padded on the left: see model-more-padding"
        )
    harness.require_unmoved(outcomes)
