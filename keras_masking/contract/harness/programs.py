"""Calls of a layer as one compiled program for each shape, on JAX.

There `fit` and `predict` compile a whole step. A call outside of them compiles
each operation for each new shape, and a loop, such as that of an RNN, each time
that it runs.
"""

from collections.abc import Callable
from functools import cached_property
from functools import partial
from typing import Any

import keras
import numpy as np

from keras_masking._keras import get_mask
from keras_masking._keras import set_mask
from keras_masking._programs import as_program
from keras_masking.array_compare import TOLERANCE
from keras_masking.array_compare import as_array
from keras_masking.array_compare import differences
from keras_masking.array_compare import magnitude
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.training import untrained
from keras_masking.layer_calls import CallOutputs
from keras_masking.layer_calls import read_outputs

# What JAX calls the operations whose bodies it compiles at each call.
LOOPS = ("scan", "while", "cond")


def call_as_program(model: Any, inputs: Any) -> Any:
    """What `model(inputs)` returns, compiled as a whole."""

    def call(values: list[Any], inputs: Any) -> Any:
        mapping = list(zip(model.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return model(inputs)

    values = [v.value for v in model.variables]
    return as_program(call)(values, inputs)


# The outputs of a call, and the untrained weights after it.
Result = tuple[CallOutputs, list[Any]]


class Programs:
    """Compiled calls of the layer of a harness.

    Another layer of the case is traced, since that may leave symbolic tensors
    on it. Each call gets the values of the variables of the layer under test.
    """

    def __init__(self, harness: Any) -> None:
        self.harness = harness
        self.layer = harness.built_symbolically()
        self._programs: dict[Any, Any] = {}

    def agree(self) -> bool:
        """Whether the program of the example gives what an eager call gives.

        Otherwise no program tells how the layer behaves outside of one.
        """
        eager = self.harness.base
        self.harness.restore()
        compiled, _ = self.run(self.harness.batch, {})
        return _alike(eager, compiled)

    def pay(self, batch: Batch) -> bool:
        """Whether an eager call would compile more than a program.

        For the first shape it compiles nothing but loops.
        """
        if batch.fixed:
            return False  # the values are no arguments of a program
        new = _shapes(batch) != _shapes(self.harness.batch)
        return new or self.harness.derived or self._loops

    @cached_property
    def _loops(self) -> bool:
        """Whether the program of a call has a loop or a branch."""
        arguments = self._arguments(self.harness.batch, {})
        text = str(self._program({}).trace(*arguments).jaxpr)
        return any(f" {name}[" in text for name in LOOPS)

    def run(self, batch: Batch, how: dict[str, Any]) -> Result:
        """What a call returns. Raises what the layer raises while traced."""
        found = self._program(how)(*self._arguments(batch, how))
        leaves, masks, states = found
        for y, mask in zip(leaves, masks, strict=True):
            if mask is not None:
                set_mask(y, mask)
        outputs = read_outputs(leaves)
        return outputs, [as_array(state) for state in states]

    def _arguments(self, batch: Batch, how: dict[str, Any]) -> tuple[Any, Any]:
        masks = {k: v for k, v in how.items() if k != "training"}
        values = [v.value for v in self.harness.layer.variables]
        return values, self.harness.data(batch, **masks)

    def _program(self, how: dict[str, Any]) -> Any:
        key = tuple(sorted(how.items()))
        if key not in self._programs:
            apply = partial(
                self.harness.apply_data,
                kwargs=self.harness.kwargs(self.harness.batch),
                training=how.get("training"),
            )
            self._programs[key] = as_program(partial(self._call, apply))
        return self._programs[key]

    def _call(
        self, apply: Callable[..., Any], values: list[Any], data: Any
    ) -> Any:
        mapping = list(zip(self.layer.variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = keras.tree.flatten(apply(self.layer, data))
        if len(scope.state_mapping) > len(mapping):
            raise NotImplementedError("a variable that is not the layer's")
        leaves = [y for y in outputs if hasattr(y, "shape")]
        states = [scope.get_current_value(v) for v in untrained(self.layer)]
        return leaves, [get_mask(y) for y in leaves], states


def _alike(x: CallOutputs, y: CallOutputs) -> bool:
    if x.dtypes != y.dtypes:
        return False
    masks = zip(x.masks, y.masks, strict=True)
    outputs = zip(x.outputs, y.outputs, x.dtypes, strict=True)
    return all(_same(a, b) for a, b in masks) and all(
        a.shape == b.shape
        and bool((differences(a, b) <= _allowed(a, dtype)).all())
        for a, b, dtype in outputs
    )


def _same(mask: np.ndarray | None, other: np.ndarray | None) -> bool:
    if mask is None or other is None:
        return mask is other
    return np.array_equal(mask, other)


def _allowed(x: np.ndarray, dtype: str) -> float:
    return TOLERANCE.get(dtype, 0.0) * max(magnitude(x), 1e-3)


def _shapes(batch: Batch) -> list[Any]:
    return [x.shape for x in batch.leaves]
