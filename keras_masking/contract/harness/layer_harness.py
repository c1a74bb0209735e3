"""One layer under test: built once, run often, with cached results."""

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_masking import layer_calls
from keras_masking._moved import moved
from keras_masking.contract.case import Case
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.inputs import Inputs
from keras_masking.contract.harness.step_axes import StepAxes
from keras_masking.contract.harness.step_axes import find_step_axes
from keras_masking.contract.harness.training import untrained
from keras_masking.contract.harness.training import with_training
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.contract.harness.violations import NotApplicable

MORE = (1, 2, 3, 12)  # padding steps; 12 is a multiple of the usual strides


class LayerHarness(Inputs):
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

    def sibling(self, shape: tuple[int, int, int] | None) -> "LayerHarness":
        """A harness for another shape, with the known role and step axes."""
        other = LayerHarness(self.case, shape, self.seed)
        other.role = self.role
        other.__dict__["step_axes"] = self.step_axes
        return other

    # The layer and its signature.

    @cached_property
    def layer(self) -> Any:
        return self.new_layer()

    def new_layer(self, batch: Batch | None = None) -> Any:
        """Another layer of this case, built, with the same weights.

        Built by a call on `batch`, which is the example by default.
        """
        keras.utils.set_random_seed(self.seed)
        layer = self.case.make()
        batch = self.batch if batch is None else batch
        for plain in (batch, self.plain(batch)):
            try:
                self.call(layer, plain)
                break
            except CallFailed as error:
                failed = error
        else:
            raise failed
        if "layer" in self.__dict__:
            layer.set_weights(self.layer.get_weights())
        return layer

    def new_rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed + 1)

    @cached_property
    def mask_arguments(self) -> list[str]:
        """The parameters that take an explicit mask, in the leaves' order.

        `mask` if the layer takes one argument, else `<argument>_mask`.
        """
        names = layer_calls.mask_parameters(self.layer)
        arguments = self._arguments()
        if len(arguments) == 1 and not self.batch.fixed:
            return [name for name in ("mask",) if name in names]
        return [f"{a}_mask" for a in arguments if f"{a}_mask" in names]

    def _arguments(self) -> list[str]:
        """The parameters of `call` that take the inputs."""
        parameters = list(inspect.signature(self.layer.call).parameters)
        count = len(self.structure) if isinstance(self.structure, tuple) else 1
        return parameters[:count]

    # Calls.

    def call(
        self,
        layer: Any,
        batch: Batch,
        explicit: bool = False,
        carried: str | None = None,
        training: bool | None = None,
    ) -> layer_calls.CallOutputs:
        """Calls a layer, with masks by keyword or on the tensors.

        With `carried`, the tensors carry masks of that kind in any case.
        """
        if carried is None:
            inputs = self.tensors(batch, attached=not explicit)
        else:
            inputs = self.tensors(batches.with_masks(batch, carried))
        kwargs = self.kwargs(batch)
        given = self.given_tensor(batch)
        if explicit:
            kwargs.update(self.explicit_masks(batch))
        apply: Callable[..., Any] = self.apply
        if training is not None:
            apply = with_training(apply, layer, training)
        try:
            outputs = apply(layer, inputs, given, **kwargs)
        except Exception as error:
            how = "a call without a mask"
            if batch.mask is not None:
                how = "a call with a mask"
            raise CallFailed(
                error, f"{how}, inputs {_shapes(batch)},"
            ) from error
        return layer_calls.read_outputs(outputs)

    def explicit_masks(self, batch: Batch) -> dict[str, Any]:
        masks = [
            None if m is None else layer_calls.new_tensor(m)
            for m in batch.masks
        ]
        packed = self.pack(masks)
        if self.mask_arguments == ["mask"]:
            return {"mask": packed}
        several = isinstance(self.structure, tuple)
        given = zip(self._arguments(), packed if several else (packed,))
        return {
            f"{a}_mask": m
            for a, m in given
            if f"{a}_mask" in self.mask_arguments
        }

    def run(self, batch: Batch, **how: Any) -> layer_calls.CallOutputs:
        """Calls the layer under test in its first state; results are cached."""
        if batch.mask is None:
            self.needs_no_mask()
        key = (batch.key(), tuple(sorted(how.items())))
        if key not in self._memory:
            self.restore()
            training = how.get("training")
            before = self.layer.get_weights() if training else None
            if training:
                # A layer without its own seed uses the global ones.
                keras.utils.set_random_seed(self.seed)
            self._memory[key] = self.call(self.layer, batch, **how)
            if before is not None:
                # A layer may change its weights in training, as
                # SpectralNormalization does.
                self.layer.set_weights(before)
        return self._memory[key]

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
        if self._insists():
            raise NotApplicable(f"{self.argument} is not optional")

    def _insists(self) -> bool:
        """Whether the layer has a mask argument that is not optional."""
        argument = self.argument
        return argument is not None and argument.is_required(self._call)

    @cached_property
    def _call(self) -> Any:
        return self.case.make().call

    def needs_any_batch(self) -> None:
        """Raises `NotApplicable` if the layer cannot take other rows."""
        if self.batch.fixed:
            raise NotApplicable("`call_kwargs` holds a value for each row")
        if getattr(self.layer, "stateful", False):
            raise NotApplicable("the layer keeps states of one batch size")

    def received(self) -> set[str] | None:
        """The parameters of `call` that got a mask; None if it never ran."""
        got: list[set[str]] = []
        see: Callable[[dict[str, Any]], None]
        see = lambda a: got.append(layer_calls.masks_received(a))  # noqa: E731
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

    def plain(self, batch: Batch) -> Batch:
        """The batch without a mask, or with an all-True one if required."""
        if self.case.requires_mask or self._insists():
            return batches.with_masks(batch, "full")
        return batches.without_masks(batch)

    def run_plain(self, batch: Batch) -> layer_calls.CallOutputs:
        """The outputs without a mask, or with an all-True one if that fails."""
        try:
            return self.run(self.plain(batch))
        except CallFailed:
            return self.run(batches.with_masks(batch, "full"))

    def masked(self, kind: str) -> Batch:
        return batches.with_masks(self.batch, kind)


def _shapes(batch: Batch) -> str:
    return " and ".join(str(leaf.shape) for leaf in batch.leaves)


__getattr__ = moved(
    __name__,
    {
        "Bench": f"{__name__}.LayerHarness",
        "Breach": "keras_masking.contract.harness.violations.ContractViolation",
    },
)
