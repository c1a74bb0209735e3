"""Calls of a layer as programs, on JAX."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_masking import layers
from keras_masking._programs import as_gradient_program
from keras_masking._programs import as_program
from keras_masking.contract import Case
from keras_masking.contract import check_layer
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.layer_harness import LayerHarness
from tests.contract.broken.modes import EagerOnly
from tests.contract.broken.modes import TableOfFirstCall
from tests.contract.layers import Layer
from tests.test_compilations import compilations

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="JAX compiles each operation"
)


def test_operations_of_a_program_round_one_by_one() -> None:
    def less_than_nothing(x: Any) -> Any:
        return x / (ops.sum(x) + ops.cast(1e-9, "float16"))

    zeros = np.zeros(3, "float16")
    assert np.isnan(less_than_nothing(ops.array(zeros))).all()
    assert np.isnan(as_program(less_than_nothing)(zeros)).all()


def test_a_program_takes_and_returns_structures() -> None:
    def swap(a: Any, b: Any) -> Any:
        return {"b": b["y"] * 2.0, "a": [a, None]}

    found = as_program(swap)(np.ones(2), {"y": np.ones(3)})
    assert found["a"][1] is None
    np.testing.assert_array_equal(found["a"][0], np.ones(2))
    np.testing.assert_array_equal(found["b"], np.full(3, 2.0))


def test_the_gradient_of_a_program() -> None:
    def cube(x: Any) -> Any:
        return ops.sum(x**3)

    x = np.array([1.0, -2.0, 0.5], "float32")
    np.testing.assert_allclose(as_gradient_program(cube)(x), 3 * x**2)


@pytest.mark.parametrize("kind", [EagerOnly, TableOfFirstCall])
def test_a_layer_that_differs_while_traced_gets_none(kind: Any) -> None:
    assert LayerHarness(Case(kind)).programs is None


class Global(Layer):
    """Draws noise from the seed of Keras, which is not its own."""

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(ops.shape(x))


class Counts(Layer):
    """Its state says how often it was called in training."""

    def build(self, shape: Any) -> None:
        self.count = self.add_weight(trainable=False, initializer="zeros")

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.count.assign(self.count + 1)
        return x * 1.0


def test_a_layer_with_another_ones_state_gets_none() -> None:
    assert LayerHarness(Case(Global)).programs is None


def test_a_program_returns_states_and_keeps_those_of_the_layer() -> None:
    harness = LayerHarness(Case(Counts))
    longer = batches.pad(harness.batch, 2)
    harness.restore()
    with compilations() as seconds:
        _, states = harness.run_once(longer, {"training": True})
    assert len(seconds) > 0
    assert states == [1.0]
    assert harness.layer.count == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.MaskedLSTM(3, return_sequences=True),
        lambda: layers.MaskedConv1D(5, 3),
        lambda: layers.MaskedGlobalMaxPooling1D(),
    ],
    ids=["LSTM", "Conv1D", "Pooling"],
)
def test_a_program_gives_what_a_call_gives(make: Any) -> None:
    harness = LayerHarness(Case(make))
    assert harness.programs is not None
    for kind in ("left", "holes", "empty"):
        batch = batches.pad(harness.masked(kind), 1)
        eager = harness.call(harness.layer, batch)
        found = harness.run(batch)
        for one, other in zip(eager.outputs, found.outputs, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
        for one, other in zip(eager.masks, found.masks, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.kit
def test_how_often_a_check_of_a_loop_compiles() -> None:
    """265 times if each call compiles its operations, and a loop anew."""
    with compilations() as seconds:
        check_layer(lambda: layers.MaskedLSTM(3, return_sequences=True))
    assert len(seconds) < 110
