"""The layer under test in models that take and return masks.

Two small layers do this: one attaches a mask, the other returns it.
"""

import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking import array_compare
from keras_masking import layer_calls
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.inputs import ARGUMENT
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.programs import call_as_program
from keras_masking.contract.harness.violations import CallFailed

NO_MASK = -1


class Attach(keras.layers.Layer):
    """Returns its first input, carrying the second one as its mask."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return ops.copy(inputs[0])

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        return inputs[1]

    def compute_output_spec(self, inputs: Any) -> Any:
        return keras.KerasTensor(inputs[0].shape, dtype=inputs[0].dtype)


class Show(keras.layers.Layer):
    """Returns the mask of its input as integers, or -1 where there is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            return ops.cast(mask, "int32")
        rows = ops.shape(inputs)[0]
        return ops.full((rows, 1), NO_MASK, dtype="int32")

    def compute_output_spec(self, inputs: Any, mask: Any = None) -> Any:
        shape = (*inputs.shape[:1], 1) if mask is None else mask.shape
        return keras.KerasTensor(shape, dtype="int32")


class OneVector(keras.layers.Layer):
    """Flattens each step to one vector, and passes the mask on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        if len(inputs.shape) <= 3:
            return ops.copy(inputs)
        shape = ops.shape(inputs)
        return ops.reshape(inputs, (*shape[:2], math.prod(inputs.shape[2:])))

    def compute_output_shape(self, shape: Any) -> Any:
        if len(shape) <= 3:
            return tuple(shape)
        return (*shape[:2], math.prod(shape[2:]))


class Inside(keras.layers.Layer):
    """Calls a layer in its own `call`, as composed layers do."""

    def __init__(self, inner: Any, apply: Any, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.inner = inner
        self.apply_inner = apply
        self.show = Show()

    def call(self, inputs: Any) -> Any:
        # Masks are inputs, by the position of their tensor, and are attached
        # here, just before the nested call.
        values, masks = inputs
        outputs = self.apply_inner(self.inner, values, masks)
        outputs = keras.tree.flatten(outputs)
        return outputs, [self.show(y) for y in outputs]


def take_weights(layer: Any, harness: LayerHarness) -> None:
    """Gives a new layer the first weights of the layer under test."""
    harness.restore()
    layer.set_weights(harness.layer.get_weights())


def as_call_outputs(outputs: Any, shown: Any) -> layer_calls.CallOutputs:
    """The outputs of a model, with the masks that it returns."""
    masks: list[np.ndarray | None] = []
    for mask in keras.tree.flatten(shown):
        mask = array_compare.as_array(mask)
        masks.append(None if (mask == NO_MASK).any() else mask.astype(bool))
    return replace(layer_calls.read_outputs(outputs), masks=masks)


class MaskedModel:
    """A Functional model around the layer under test.

    Without `steps`, the model takes any number of steps, and `layer` is new: a
    symbolic call builds it.
    """

    def __init__(
        self, harness: LayerHarness, layer: Any = None, steps: bool = True
    ) -> None:
        self.harness = harness
        layer = harness.layer if layer is None else layer
        if not steps:
            layer = harness.case.make()
        batch, more = harness.batch, batches.pad(harness.batch, 1)

        def new_input(x: np.ndarray, longer: np.ndarray) -> Any:
            sizes = zip(x.shape[1:], longer.shape[1:])
            shape = [n if steps or n == other else None for n, other in sizes]
            return keras.Input(shape, dtype=str(x.dtype))

        leaves = [*map(new_input, batch.leaves, more.leaves)]
        fed, longer = harness.fed_masks(batch), harness.fed_masks(more)
        masks = {place: new_input(fed[place], longer[place]) for place in fed}
        inputs = [*leaves, *masks.values()]
        carried = [
            Attach()([x, masks[str(i)]]) if str(i) in masks else x
            for i, x in enumerate(leaves)
        ]
        kwargs = harness.kwargs(batch)
        given = masks.get(ARGUMENT)
        try:
            outputs = harness.apply(layer, carried, given, **kwargs)
            self.symbolic = keras.tree.flatten(outputs)
            shown = [Show()(y) for y in self.symbolic]
            if not steps:
                take_weights(layer, harness)
        except Exception as error:
            raise CallFailed(error, "a symbolic call") from error
        self.model = keras.Model(inputs, [*self.symbolic, *shown])

    def _inputs(self, batch: Batch) -> list[np.ndarray]:
        return [*batch.leaves, *self.harness.fed_masks(batch).values()]

    def _call_outputs(self, outputs: Any) -> layer_calls.CallOutputs:
        outputs = keras.tree.flatten(outputs)
        half = len(outputs) // 2
        return as_call_outputs(outputs[:half], outputs[half:])

    def call(
        self, batch: Batch, program: bool = False
    ) -> layer_calls.CallOutputs:
        """A call outside of `predict`; as a program if it can be one."""
        self.harness.restore()
        flat = [layer_calls.new_tensor(x) for x in self._inputs(batch)]
        if program:
            with suppress(Exception):  # eagerly it may work, or says why not
                return self._call_outputs(call_as_program(self.model, flat))
        try:
            return self._call_outputs(self.model(flat))
        except Exception as error:
            raise CallFailed(error, "a Functional model") from error

    def predict(
        self, batch: Batch, jit_compile: bool
    ) -> layer_calls.CallOutputs:
        self.harness.restore()
        self.model.compile(jit_compile=jit_compile)
        how = "compiled with jit" if jit_compile else "as a graph"
        try:
            return self._call_outputs(
                self.model.predict_on_batch(self._inputs(batch))
            )
        except Exception as error:
            raise CallFailed(error, f"a model run {how}") from error


def model_of(harness: LayerHarness) -> MaskedModel:
    """The model around the layer under test, made once."""
    found: MaskedModel = harness.once("model", lambda: MaskedModel(harness))
    return found
