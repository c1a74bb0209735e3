"""Gradients of a layer's outputs by its inputs and weights."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking import array_compare
from keras_masking._programs import as_gradient_program
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import float_outputs
from keras_masking.contract.harness.compare import real_steps
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.training import one_program
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import NotApplicable


class Recorder(keras.optimizers.Optimizer):
    """An optimizer that stores gradients and changes no weight."""

    def build(self, variables: list[Any]) -> None:
        super().build(variables)
        self.gradients = [
            self.add_variable_from_reference(v, name="gradient")
            for v in variables
        ]

    def update_step(self, gradient: Any, variable: Any, rate: Any) -> None:
        place = self.gradients[self._get_variable_index(variable)]
        # TensorFlow's gradient of an Embedding is a list of slices that may
        # repeat a row. A sum makes it dense; an assignment would overwrite.
        dense = ops.add(ops.zeros(place.shape, place.dtype), gradient)
        self.assign(place, ops.cast(dense, place.dtype))

    def get_config(self) -> dict[str, Any]:
        return dict(super().get_config())


class Probe(keras.Model):
    """Holds x as a weight; its loss is a weighted sum of real outputs.

    Losses that the layer adds itself, by `add_loss` or an activity regularizer,
    are included, because training follows their gradients too.
    """

    def __init__(self, harness: LayerHarness) -> None:
        super().__init__()
        self.harness = [
            harness
        ]  # in a list, so that Keras does not track the object
        self.layer = harness.built_layer()
        self.outputs_used = float_outputs(harness)
        self.xs = [
            self.add_weight(
                shape=x.shape,
                dtype=str(x.dtype),
                initializer="zeros",
                name=f"x{i}",
            )
            if batches.is_float(x)
            else None
            for i, x in enumerate(harness.batch.leaves)
        ]
        self.built = True

    def call(self, inputs: dict[str, Any]) -> Any:
        harness = self.harness[0]
        leaves = [
            inputs[f"x{i}"] if x is None else x.value
            for i, x in enumerate(self.xs)
        ]
        masks = {
            name.removeprefix("mask"): mask
            for name, mask in inputs.items()
            if name.startswith("mask")
        }
        kwargs = harness.kwargs(harness.batch)
        outputs = harness.apply_fed(self.layer, leaves, masks, **kwargs)
        # A layer without a gradient, for example a count, gets one of 0.
        total = sum(
            0.0 * ops.sum(ops.cast(x.value, "float32"))
            for x in self.xs
            if x is not None
        )
        for i, y in enumerate(keras.tree.flatten(outputs)):
            if i in self.outputs_used:
                weight = inputs[f"weight{i}"]
                zero = ops.zeros_like(y)
                real = ops.where(weight != 0, y, zero)
                total = total + ops.sum(ops.cast(real, "float32") * weight)
        return total

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        *_: Any,
        **__: Any,
    ) -> Any:
        return _with_losses(y_pred, self.losses)

    def stateless_loss(self, values: Any, others: Any, data: Any) -> Any:
        """The loss for these values of the variables, whose state it keeps."""
        y, _, losses = self.stateless_call(
            values, others, data, return_losses=True
        )
        return _with_losses(y, losses)


def _with_losses(y: Any, losses: list[Any]) -> Any:
    return sum([ops.cast(x, "float32") for x in losses], y)


class Gradients:
    """Gradients of a layer's real outputs; compiled once, used often."""

    def __init__(self, harness: LayerHarness) -> None:
        if not any(batches.is_float(x) for x in harness.batch.leaves) and not (
            harness.layer.trainable_weights
        ):
            raise NotApplicable("nothing has a gradient: no floats, no weights")
        self.harness = harness
        self.failed: CallFailed | None = None
        self.model = Probe(harness)
        if one_program():
            self.program = as_gradient_program(self.model.stateless_loss)
        else:
            self.model.compile(Recorder(learning_rate=0.0), jit_compile=False)

    def __call__(
        self, batch: Batch, factors: dict[int, np.ndarray] | None = None
    ) -> tuple[list[Any], list[np.ndarray]]:
        """The gradients of the leaves, and of the weights.

        Of the sum of real outputs, each times a factor: those of `factors`, or
        some by default.
        """
        result = self.harness.run(batch)
        data: dict[str, np.ndarray] = {}
        for i, x in enumerate(batch.leaves):
            variable = self.model.xs[i]
            if variable is None:
                data[f"x{i}"] = x
            else:
                variable.assign(x)
        for place, mask in self.harness.fed_masks(batch).items():
            data[f"mask{place}"] = mask
        rng = self.harness.new_rng()
        for i in self.model.outputs_used:
            y = result.outputs[i]
            if factors is not None:
                nothing = np.zeros(y.shape, "float32")
                data[f"weight{i}"] = factors.get(i, nothing)
                continue
            weight = rng.uniform(0.5, 1.5, size=y.shape)
            real = real_steps(self.harness, result, i, batch)
            if real is not None:
                weight = weight * array_compare.spread(real, y.ndim)
            data[f"weight{i}"] = weight.astype("float32")
        if self.failed is not None:
            raise self.failed  # its state is of no use
        try:
            found = self._compute(data)
        except Exception as error:
            self.failed = CallFailed(error, "a step of training")
            raise self.failed from error
        by_x = [None if x is None else found.get(id(x)) for x in self.model.xs]
        weights = [
            found[id(v)]
            for v in self.model.layer.trainable_variables
            if id(v) in found
        ]
        return by_x, weights

    def _compute(self, data: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
        """The gradients by the ids of their variables."""
        model = self.model
        if one_program():
            variables = model.trainable_variables
            values = [v.value for v in variables]
            others = [v.value for v in model.non_trainable_variables]
            gradients = self.program(values, others, data)
        else:
            model.train_on_batch(data)
            variables = model.optimizer._trainable_variables
            gradients = [g.value for g in model.optimizer.gradients]
        return {
            id(v): array_compare.as_array(g)
            for v, g in zip(variables, gradients, strict=True)
        }
