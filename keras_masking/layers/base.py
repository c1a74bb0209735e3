"""Base classes: how a layer receives, checks and returns masks."""

import inspect
from collections.abc import Iterator
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from itertools import repeat
from typing import Any

import keras

from keras_masking._backends import torch_traces
from keras_masking._keras import KEEPS_MASKS_OF_CASTS
from keras_masking._keras import get_mask
from keras_masking._keras import set_mask
from keras_masking._packing import PackingNeed
from keras_masking._types import Tensor
from keras_masking.errors import MaskShapeError
from keras_masking.errors import describe
from keras_masking.layers.checks import check_inputs
from keras_masking.layers.inner_statistics import penalizing
from keras_masking.ops import check_mask
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step_in


class MaskAware(keras.layers.Layer):
    """A layer that reads a mask, checks it once and passes it on.

    `__call__` checks each mask. In `call` a subclass calls
    `self.read_mask(inputs, mask)`, which returns the checked mask, or checks it
    if another layer calls `call` directly, as Keras' `TimeDistributed` does. A
    subclass overrides `make_mask` if it makes a mask, and `output_mask` if its
    output mask differs from the input mask.
    """

    # What it needs between two sequences of a packed row, or why it cannot take
    # such rows.
    packing_need: PackingNeed | str = "its steps may be of several sequences"

    # Masks that the current call has checked.
    _checked: Sequence[Tensor | None] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A layer without weights is built at once, as in Keras.
        if type(self).build is keras.layers.Layer.build:
            self.built = True

    def __call__(
        self, inputs: Any, mask: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        # Not in `call`: Keras would convert these first, and fail with a
        # backend error.
        check_inputs(self.caller, inputs)
        if args:
            kwargs |= self.bind_by_name((inputs, mask), args, kwargs)
        # As a keyword, since Keras does not recognize a positional mask. It
        # finds the carried masks itself.
        if isinstance(inputs, (list, tuple)):
            carried: Any = [get_mask(x) for x in inputs]
            masks = self.read_masks(inputs, carried if mask is None else mask)
            if any(m is not c for m, c in zip(masks, carried)):
                kwargs["mask"] = masks
        else:
            carried = get_mask(inputs)
            masks = [self.read_mask(inputs, carried if mask is None else mask)]
            if masks[0] is not carried:
                kwargs["mask"] = masks[0]
        if not KEEPS_MASKS_OF_CASTS:
            inputs = keras.tree.map_structure(self._cast, inputs)
        return self.call_trusting(masks, inputs, **kwargs)

    def call_trusting(
        self, masks: Sequence[Any], *inputs: Any, **kwargs: Any
    ) -> Any:
        """Keras' `__call__`, without checking `masks` again."""
        if self.activity_regularizer is None:
            return self._call_trusting(masks, *inputs, **kwargs)
        with penalizing(self, self._masks_of_outputs(masks, inputs)):
            return self._call_trusting(masks, *inputs, **kwargs)

    def _masks_of_outputs(
        self, masks: Sequence[Any], inputs: tuple[Any, ...]
    ) -> Iterator[Tensor | None]:
        """A mask for each output, or that of its rows."""
        given = [m for m in masks if m is not None]
        found: list[Any] = []
        if len(inputs) == 1:
            listed = isinstance(inputs[0], (list, tuple))
            mask = list(masks) if listed else masks[0]
            found = keras.tree.flatten(self.compute_mask(inputs[0], mask))
        rows = has_real_step_in(given[0], 1) if given else None
        for mask in chain(found, repeat(None)):
            yield rows if mask is None else mask

    def _call_trusting(
        self, masks: Sequence[Any], *inputs: Any, **kwargs: Any
    ) -> Any:
        if torch_traces():  # the code below would break PyTorch's graph
            return super().__call__(*inputs, **kwargs)
        # Bypasses Keras' attribute tracking. If two threads overwrite each
        # other's, one of them checks once more.
        object.__setattr__(self, "_checked", masks)
        try:
            return super().__call__(*inputs, **kwargs)
        finally:
            object.__setattr__(self, "_checked", ())

    def with_attributes(self, **others: Any) -> Any:
        """This layer with other attributes; it shares everything else."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__, **others)
        return view

    def bind_by_name(
        self,
        first: tuple[Any, ...],
        more: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> dict[str, Any]:
        """Binds positional arguments of `call` after `first` to their names.

        Keras accepts only tensors as positional arguments.
        """
        signature = inspect.signature(self.call)
        signature.bind(*first, *more, **kwargs)  # a TypeError says why
        return dict(zip([*signature.parameters][len(first) :], more))

    def _cast(self, x: Any) -> Any:
        # Up to 3.13 Keras loses the mask when it casts inputs to half
        # precision. Later versions keep it, and this cast would show in the
        # graph.
        mask = get_mask(x)
        if mask is None:
            return x
        x = self.dtype_policy.convert_input(x, self.autocast, self.input_dtype)
        if get_mask(x) is None:
            set_mask(x, mask)
        return x

    @cached_property
    def caller(self) -> str:
        """The name of this layer in error messages."""
        return self.caller_of(self.name)

    def caller_of(self, name: str) -> str:
        """The same, for a layer whose name is not set yet."""
        return f"layer '{name}' (of type {type(self).__name__})"

    def read_mask(self, inputs: Any, mask: Tensor | None) -> Tensor | None:
        """The mask to use: the explicit one, else the carried one."""
        if mask is None:
            mask = get_mask(inputs)
        if mask is None:
            return None
        for checked in self._checked:
            if mask is checked:
                return mask
        return check_mask(
            mask, inputs, self.caller, self.mask_ndim(inputs, mask)
        )

    def mask_ndim(self, inputs: Tensor, mask: Tensor) -> int:
        """The number of axes of a mask, the first axes of `inputs`."""
        return 2

    def read_masks(
        self, inputs: Sequence[Tensor], mask: Any
    ) -> list[Tensor | None]:
        """The masks to use, one for each input."""
        given = [None] * len(inputs) if mask is None else mask
        if not isinstance(given, (list, tuple)) or len(given) != len(inputs):
            raise MaskShapeError(
                describe(
                    self.caller,
                    "`mask` must be a list with a mask for each input.",
                    "Pass None for an input without a mask.",
                    mask=type(given).__name__,
                    inputs=len(inputs),
                )
            )
        return [self.read_mask(x, m) for x, m in zip(inputs, given)]

    def make_mask(self, inputs: Any, mask: Any) -> Any:
        """The mask of the inputs; by default the mask that was read."""
        return mask

    def output_mask(self, mask: Any) -> Any:
        """The mask that the outputs carry."""
        return mask

    def compute_mask(self, inputs: Any, mask: Tensor | None = None) -> Any:
        if mask is not None:
            mask = self.read_mask(inputs, mask)
        mask = self.make_mask(inputs, mask)
        return None if mask is None else self.output_mask(mask)


class KeepsDtype(MaskAware):
    """A layer whose outputs have the dtype of its inputs, even integers."""

    def compute_output_spec(self, inputs: Any, mask: Any = None) -> Any:
        shape = self.compute_output_shape(inputs.shape)
        if isinstance(shape, list):
            return [keras.KerasTensor(s, dtype=inputs.dtype) for s in shape]
        return keras.KerasTensor(shape, dtype=inputs.dtype)


class Merger(MaskAware):
    """A layer with a list of inputs, each with its own mask or none."""

    def __call__(
        self, inputs: Any, mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        if not isinstance(inputs, (list, tuple)) or not inputs:
            raise ValueError(
                describe(
                    self.caller,
                    "`inputs` must be a list of tensors.",
                    "Call it as `layer([x, y])`.",
                    inputs=type(inputs).__name__,
                )
            )
        return super().__call__(inputs, mask, *args, **kwargs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = [] if mask is None else self.read_masks(inputs, mask)
        if all(m is None for m in masks):
            return None
        return self.merge_masks(inputs, masks)

    def merge_masks(
        self, inputs: list[Tensor], masks: list[Tensor | None]
    ) -> Tensor:
        """The output mask, if at least one input has a mask."""
        raise NotImplementedError

    def compute_output_spec(
        self, inputs: list[keras.KerasTensor], mask: Any = None
    ) -> keras.KerasTensor:
        shape = self.compute_output_shape([x.shape for x in inputs])
        dtypes = {x.dtype for x in inputs}
        # A single dtype is kept: `result_type` turns float64 into float32.
        alone = len(dtypes) == 1
        dtype = dtypes.pop() if alone else keras.backend.result_type(*dtypes)
        return keras.KerasTensor(shape, dtype=dtype)


class StepMixer(MaskAware):
    """Mixin that makes a step-mixing Keras layer respect the mask.

    List it before the Keras layer in the bases of a class. Padding steps enter
    and leave the Keras layer as 0, even if they are NaN.
    """

    def mix(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        """The layer's computation; padding outputs may be anything."""
        return super().call(fill_padding(inputs, mask))

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        if 0 in inputs.shape:  # an empty tensor; some backends fail on it
            shape = self.compute_output_shape(inputs.shape)
            return keras.ops.zeros(shape, dtype=self.compute_dtype)
        outputs = self.mix(inputs, mask)
        if mask is None:
            return outputs
        real = self.mask_of_outputs(mask, outputs)
        return carrying(fill_padding(outputs, real), real)

    def mask_of_outputs(self, mask: Tensor, outputs: Tensor) -> Tensor:
        """`output_mask(mask)`, of the shape of `outputs`."""
        return self.output_mask(mask)


def carrying(outputs: Tensor, mask: Tensor | None) -> Tensor:
    """Attaches the mask to `outputs`, so that Keras does not recompute it."""
    if mask is not None:
        set_mask(outputs, mask)
    return outputs


def zeros_like_specs(specs: Any) -> Any:
    """Outputs for no rows or no steps, where Keras or a backend fails."""
    return keras.tree.map_structure(
        lambda y: keras.ops.zeros(y.shape, y.dtype), specs
    )


def copy_if_same(outputs: Tensor, inputs: Tensor) -> Tensor:
    """Returns `outputs`, or a copy if it is `inputs`.

    Keras attaches the output mask to the object that `call` returns, which must
    not be the caller's tensor.
    """
    return copy_without_mask(outputs) if outputs is inputs else outputs


def copy_without_mask(x: Tensor) -> Tensor:
    """A copy of the tensor that carries no mask."""
    y = keras.ops.copy(x)
    if y is x:  # on OpenVINO
        y = keras.ops.squeeze(keras.ops.expand_dims(x, 0), 0)
    return y
