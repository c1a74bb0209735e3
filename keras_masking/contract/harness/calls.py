"""Calls of a layer under test, with masks on its tensors or by keyword."""

import inspect
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_masking import layer_calls
from keras_masking._keras import set_mask
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.inputs import Inputs
from keras_masking.contract.harness.training import with_training
from keras_masking.contract.harness.violations import CallFailed


class Calls(Inputs):
    """The example inputs of a `Case`, and how its layers are called on them."""

    policy: str | None = None  # the dtype policy of new layers, if not Keras'
    derived = False  # whether another harness knows that programs agree

    @cached_property
    def layer(self) -> Any:
        """The layer under test."""
        if self.derived:
            with suppress(Exception):
                return self.built_symbolically()
        self.derived = False
        return self.new_layer()

    def new_layer(self, batch: Batch | None = None) -> Any:
        """Another layer of this case, built, with the same weights.

        Built by a call on `batch`, which is the example by default.
        """
        batch = self.batch if batch is None else batch
        with self._fresh() as layer:
            for plain in (batch, self.plain(batch)):
                try:
                    self.call(layer, plain)
                    break
                except CallFailed as error:
                    failed = error
            else:
                raise failed
        return self._with_weights(layer)

    def built_symbolically(self, batch: Batch | None = None) -> Any:
        """The same, built by a symbolic call, which compiles nothing."""
        batch = self.batch if batch is None else batch
        spec = keras.tree.map_structure(_symbol, self.data(batch))
        with self._fresh() as layer:
            self.apply_data(layer, spec, self.kwargs(batch))
        return self._with_weights(layer)

    @contextmanager
    def _fresh(self) -> Iterator[Any]:
        """A new layer to build, from the seed and under the policy."""
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.policy or before)
        keras.utils.set_random_seed(self.seed)
        try:
            yield self.case.make()
        finally:
            keras.config.set_dtype_policy(before)

    def _with_weights(self, layer: Any) -> Any:
        if "layer" in self.__dict__:
            layer.set_weights(self.layer.get_weights())
        return layer

    def plain(self, batch: Batch) -> Batch:
        """The batch without a mask, or with an all-True one if required."""
        if self.case.requires_mask or self.insists():
            return batches.with_masks(batch, "full")
        return batches.without_masks(batch)

    def insists(self) -> bool:
        """Whether the layer has a mask argument that is not optional."""
        argument = self.argument
        return argument is not None and argument.is_required(self._call)

    @cached_property
    def _call(self) -> Any:
        return self.case.make().call

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
        data = self.data(batch, explicit, carried)
        try:
            outputs = self.apply_data(layer, data, self.kwargs(batch), training)
        except Exception as error:
            how = "a call without a mask"
            if batch.mask is not None:
                how = "a call with a mask"
            raise CallFailed(
                error, f"{how}, inputs {_shapes(batch)},"
            ) from error
        return layer_calls.read_outputs(outputs)

    def data(
        self, batch: Batch, explicit: bool = False, carried: str | None = None
    ) -> dict[str, Any]:
        """The tensors of a call, see `call`; their masks are beside them."""
        carrier = batch
        if carried is not None:
            carrier = batches.with_masks(batch, carried)
        attached = carried is not None or not explicit
        if not attached or self.argument is not None:
            carrier = batches.without_masks(carrier)
        data = {
            "leaves": list(batch.leaves),
            "masks": list(carrier.masks),
            "given": self.given(batch),
            "explicit": self.explicit_masks(batch) if explicit else {},
        }
        return dict(keras.tree.map_structure(_tensor, data))

    def apply_data(
        self,
        layer: Any,
        data: dict[str, Any],
        kwargs: dict[str, Any],
        training: bool | None = None,
    ) -> Any:
        """Calls `layer` on tensors that get their masks first."""
        for x, mask in zip(data["leaves"], data["masks"], strict=True):
            if mask is not None:
                set_mask(x, mask)
        apply: Callable[..., Any] = self.apply
        if training is not None:
            apply = with_training(apply, layer, training)
        kwargs = {**kwargs, **data["explicit"]}
        return apply(layer, data["leaves"], data["given"], **kwargs)

    def explicit_masks(self, batch: Batch) -> dict[str, Any]:
        packed = self.pack(list(batch.masks))
        if self.mask_arguments == ["mask"]:
            return {"mask": packed}
        several = isinstance(self.structure, tuple)
        given = zip(self._arguments(), packed if several else (packed,))
        return {
            f"{a}_mask": m
            for a, m in given
            if f"{a}_mask" in self.mask_arguments
        }


def _tensor(x: np.ndarray | None) -> Any:
    return None if x is None else layer_calls.new_tensor(x)


def _symbol(x: Any) -> Any:
    return None if x is None else keras.KerasTensor(x.shape, x.dtype)


def _shapes(batch: Batch) -> str:
    return " and ".join(str(leaf.shape) for leaf in batch.leaves)
