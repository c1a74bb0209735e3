"""One layer under test: built once, run often, with cached results."""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_masking import layer_calls
from keras_masking._moved import moved
from keras_masking.contract.case import Case
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.calls import Calls
from keras_masking.contract.harness.programs import Programs
from keras_masking.contract.harness.programs import Result
from keras_masking.contract.harness.step_axes import StepAxes
from keras_masking.contract.harness.step_axes import find_step_axes
from keras_masking.contract.harness.training import one_program
from keras_masking.contract.harness.training import untrained
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import NotApplicable

MORE = (1, 2, 3, 12)  # padding steps; 12 is a multiple of the usual strides


class _Seen(Exception):
    """What a call received is known."""


class LayerHarness(Calls):
    """The layer of a `Case`, with example inputs of one shape."""

    def __init__(
        self,
        case: Case,
        shape: tuple[int, int, int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(case, shape, seed)
        self._memory: dict[Any, layer_calls.CallOutputs] = {}
        self._made: dict[str, Any] = {}
        self.role = case.role or ""  # inferred by the runner if not declared
        self.torch_compile = False

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """The result of `make()`, computed once and stored under `name`."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def sibling(
        self, shape: tuple[int, int, int] | None, policy: str | None = None
    ) -> "LayerHarness":
        """A harness for another shape or dtype policy.

        With the known role and step axes.
        """
        other = LayerHarness(self.case, shape, self.seed)
        other.role = self.role
        other.__dict__["step_axes"] = self.step_axes
        other.policy = policy
        other.derived = self.programs is not None
        return other

    def new_rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed + 1)

    def run(self, batch: Batch, **how: Any) -> layer_calls.CallOutputs:
        """Calls the layer under test in its first state; results are cached."""
        if batch.mask is None:
            self.needs_no_mask()
        key = (batch.key(), tuple(sorted(how.items())))
        if key not in self._memory:
            self.restore()
            if how.get("training"):
                # A layer without its own seed uses the global ones.
                keras.utils.set_random_seed(self.seed)
            self._memory[key], _ = self.run_once(batch, how)
        return self._memory[key]

    def run_once(self, batch: Batch, how: dict[str, Any]) -> Result:
        """A call of the layer in its present state, which it keeps.

        Also the untrained weights after a call in training.
        """
        plain = batches.without_masks(self.batch)
        first = (self.batch.key(), plain.key())
        if not self.derived and not how and batch.key() in first:
            return self._run_eagerly(batch, how)
        if self.programs is None or not self.programs.pay(batch):
            return self._run_eagerly(batch, how)
        with suppress(Exception):
            return self.programs.run(batch, how)
        result = self._run_eagerly(batch, how)
        self.programs = None  # it works eagerly alone
        return result

    def _run_eagerly(self, batch: Batch, how: dict[str, Any]) -> Result:
        try:
            return self._call_and_restore(batch, how)
        except Exception as error:
            if not (self.derived and _is_due_to_tracing(error)):
                raise
        # A symbolic call built the layer and left something on it.
        self.derived, self.programs = False, None
        self.layer = self.new_layer()
        return self._call_and_restore(batch, how)

    def _call_and_restore(self, batch: Batch, how: dict[str, Any]) -> Result:
        if not how.get("training"):
            return self.call(self.layer, batch, **how), []
        # A layer may change its weights in training, as SpectralNormalization
        # does.
        before = self.layer.get_weights()
        result = self.call(self.layer, batch, **how)
        states = [
            np.array(keras.ops.convert_to_numpy(v))
            for v in untrained(self.layer)
        ]
        self.layer.set_weights(before)
        return result, states

    def share(self, other: "LayerHarness") -> None:
        """Takes over the results of a harness with the same layer."""
        self.__dict__["layer"] = other.layer
        self._memory = other._memory

    @cached_property
    def programs(self) -> Programs | None:
        """Compiled calls on JAX, if they agree with an eager one."""
        if not one_program() or getattr(self.layer, "stateful", False):
            return None
        with suppress(Exception):  # the layer cannot be traced
            programs = Programs(self)
            if self.derived or programs.agree():
                return programs
        return None

    def built_layer(self, batch: Batch | None = None) -> Any:
        """Another layer, built symbolically where that compiles nothing."""
        if self.programs is not None:
            with suppress(Exception):
                return self.built_symbolically(batch)
        return self.new_layer(batch)

    @cached_property
    def _state(self) -> list[tuple[Any, np.ndarray]]:
        return [
            (v, np.array(keras.ops.convert_to_numpy(v)))
            for v in untrained(self.layer)
        ]

    def restore(self, layer: Any = None) -> None:
        """Restores the first values of seeds, statistics and states.

        Of the layer under test, or of another layer of this case.
        """
        layer = self.layer if layer is None else layer
        for variable, (_, value) in zip(untrained(layer), self._state):
            variable.assign(value)
        if getattr(layer, "stateful", False):
            layer.reset_state()  # not among the variables of an RNN

    def needs_no_mask(self) -> None:
        """Raises `NotApplicable` if the layer cannot be called without one."""
        if self.case.requires_mask:
            raise NotApplicable("requires a mask: " + self.case.reason)
        if self.insists():
            raise NotApplicable(f"{self.argument} is not optional")

    def needs_any_batch(self) -> None:
        """Raises `NotApplicable` if the layer cannot take other rows."""
        if self.batch.fixed:
            raise NotApplicable("`call_kwargs` holds a value for each row")
        if getattr(self.layer, "stateful", False):
            raise NotApplicable("the layer keeps states of one batch size")

    def received(self) -> set[str] | None:
        """The parameters of `call` that get a mask; None if it is not run."""
        got: list[set[str]] = []

        def see(arguments: dict[str, Any]) -> None:
            got.append(layer_calls.masks_received(arguments))
            raise _Seen

        try:
            with layer_calls.watch_calls(self.layer, see):
                self.call(self.layer, self.batch)
        except Exception:
            pass
        if got and self.argument is not None:
            return {str(self.argument)}
        return set().union(*got) if got else None

    # What the layer does, measured once.

    @cached_property
    def base(self) -> layer_calls.CallOutputs:
        return self.run(self.batch)

    @cached_property
    def longest(self) -> layer_calls.CallOutputs | None:
        """The outputs for many more steps; None if the layer raises."""
        try:
            return self.run(batches.pad(self.batch, MORE[-1]))
        except CallFailed:
            return None

    @cached_property
    def step_axes(self) -> list[StepAxes]:
        return find_step_axes(self.batch, MORE[-1], self.run)

    @property
    def has_steps(self) -> list[bool]:
        return [1 in axes for axes in self.step_axes]

    @property
    def sequences(self) -> list[int]:
        """The outputs with steps on axis 1, but scores beside another one."""
        one = len(self.step_axes) == 1
        axes = enumerate(self.step_axes)
        return [i for i, a in axes if list(a) == [1] or (one and 1 in a)]

    @property
    def keeps_steps(self) -> bool:
        """Whether every output has steps, and on axis 1 those of the input."""
        pairs = zip(self.step_axes, self.base.outputs)
        kept = [y.shape[1] == self.batch.steps for a, y in pairs if 1 in a]
        return bool(kept) and all(kept) and all(self.step_axes)

    def shift(self, output: int, more: int) -> int | None:
        """The output steps for `more` input steps, if a whole number."""
        if self.longest is None:
            return None
        wide = self.longest.outputs[output].shape[1]
        grown = (wide - self.base.outputs[output].shape[1]) * more
        whole, rest = divmod(grown, MORE[-1])
        return None if rest else whole

    def run_plain(self, batch: Batch) -> layer_calls.CallOutputs:
        """The outputs without a mask, or with an all-True one if that fails."""
        try:
            return self.run(self.plain(batch))
        except CallFailed:
            return self.run(batches.with_masks(batch, "full"))

    def masked(self, kind: str) -> Batch:
        return batches.with_masks(self.batch, kind)


def _is_due_to_tracing(error: Exception) -> bool:
    """Whether a tensor without a value is the cause."""
    cause = error.__cause__ if isinstance(error, CallFailed) else error
    return "Tracer" in type(cause).__name__


__getattr__ = moved(
    __name__,
    {
        "Bench": f"{__name__}.LayerHarness",
        "Breach": "keras_masking.contract.harness.violations.ContractViolation",
    },
)
