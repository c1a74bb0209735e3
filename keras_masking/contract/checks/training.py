"""Training: a step of `fit`, and a loss that skips padding."""

from typing import Any

import keras
import numpy as np

from keras_masking.contract.harness.compare import float_outputs
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.models import MaskedModel
from keras_masking.contract.harness.models import OneVector
from keras_masking.contract.harness.models import model_of
from keras_masking.contract.harness.training import needs_gradients
from keras_masking.contract.harness.training import one_program
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import ContractViolation
from keras_masking.contract.harness.violations import NotApplicable
from keras_masking.contract.registry import check


@check("required", after=("runs-with-mask", "functional", "mask-dropped"))
def check_trains(harness: LayerHarness) -> None:
    """A step of `fit` on a padded batch leaves finite weights.

    Why: this is what the layer is for.
    Cause: NaN in the gradient of a padded or empty row, or an operation that
        has no gradient.
    Wrong:
        ops.where(count > 0, total / count, 0)
    Right:
        total / ops.maximum(count, 1)
    """
    needs_gradients()
    harness.needs_any_batch()
    used = float_outputs(harness)
    layer = harness.built_layer()
    if not layer.trainable_weights:
        raise NotApplicable("the layer has no weights to train")
    masked = MaskedModel(harness, layer)
    # With more than three axes, the loss per step has more axes than its mask.
    outputs = [OneVector()(masked.symbolic[i]) for i in used]
    model = keras.Model(masked.model.inputs, outputs)
    model.compile(
        optimizer="sgd",
        loss=["mse"] * len(used),
        jit_compile=one_program(),
    )
    batch = harness.masked("empty") if harness.batch.rows > 1 else harness.batch
    shape = OneVector().compute_output_shape
    shapes = [shape(harness.base.outputs[i].shape) for i in used]
    targets = [np.zeros(shape, "float32") for shape in shapes]
    try:
        model.train_on_batch(masked._inputs(batch), targets)
    except Exception as error:
        raise CallFailed(error, "a step of `fit`") from error
    for weight in layer.weights:
        value = np.asarray(keras.ops.convert_to_numpy(weight))
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ContractViolation(
                f"after a step of `fit` weight '{weight.name}' is not finite"
            )


@check("advised", after=("runs-with-mask", "functional", "mask-kept"))
def check_loss_ignores_padding(harness: LayerHarness) -> None:
    """Targets and outputs at padding steps do not enter the loss of the model.

    Why: Keras multiplies the loss by the mask of the last output: if the mask
        is lost, the model learns from padding, and a NaN at a padding step
        makes the loss NaN.
    Cause: the output carries no mask or one that is not boolean, or is not
        finite at padding steps.
    Wrong:
        self.supports_masking = False
    Right:
        self.supports_masking = True, set after `super().__init__()`
    """
    harness.needs_any_batch()
    used = float_outputs(harness)
    for i in used:
        y, mask = harness.base.outputs[i], harness.base.masks[i]
        if mask is None or mask.shape != y.shape[:2] or y.ndim != 3:
            continue
        if mask.all():
            continue
        masked = model_of(harness)
        model = keras.Model(masked.model.inputs, masked.symbolic[i])
        target = np.zeros(y.shape, "float32")
        other = np.where(mask[..., None], 0, 5).astype("float32")
        inputs = masked._inputs(harness.batch)
        losses = _losses(model, inputs, (target, other))
        if not np.isfinite(losses).all():
            raise ContractViolation(
                f"the loss is {losses[0]:g}: outputs at padding steps are not "
                "finite, and 0 * NaN is NaN"
            )
        if abs(losses[0] - losses[1]) > 1e-5 * max(1.0, abs(losses[0])):
            raise ContractViolation(
                f"with other targets at padding steps the loss goes from "
                f"{losses[0]:.6g} to {losses[1]:.6g}"
            )
        return
    raise NotApplicable("no output is a masked sequence of vectors")


def _losses(model: Any, inputs: Any, targets: Any) -> list[float]:
    """The loss for each target; whether the model compiles is for `jit`."""
    for jit_compile in dict.fromkeys((one_program(), False)):
        model.compile(loss="mse", jit_compile=jit_compile)
        try:
            return [
                float(np.ravel(model.test_on_batch(inputs, target))[0])
                for target in targets
            ]
        except Exception as error:
            failed = error
    raise CallFailed(failed, "the loss of the model") from failed
