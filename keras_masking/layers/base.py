"""What all layers share: how a mask gets in, is checked, and gets out."""

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
from keras_masking._types import Tensor
from keras_masking.errors import MaskShapeError
from keras_masking.errors import describe
from keras_masking.layers.checks import check_inputs
from keras_masking.layers.inner_statistics import penalizing
from keras_masking.ops import check_mask
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step_in


class MaskAware(keras.layers.Layer):
    """A layer that reads a mask, checks it once and hands it on.

    `__call__` checks each mask. A subclass calls `self.read_mask(inputs, mask)`
    in `call`, which then gives back what was checked; it checks by itself where
    another layer calls `call`, as Keras' `TimeDistributed` does. A subclass
    overrides `make_mask` if it makes a mask, and `output_mask` if the mask that
    it emits differs from that of the inputs.
    """

    # The masks that the running call has checked.
    _checked: Sequence[Tensor | None] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A layer without weights is ready at once, as Keras' own ones are.
        if type(self).build is keras.layers.Layer.build:
            self.built = True

    def __call__(
        self, inputs: Any, mask: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        # Here and not in `call`: Keras would convert these first, and fail
        # with an error of the backend.
        check_inputs(self.caller, inputs)
        if args:
            kwargs |= self.bind_by_name((inputs, mask), args, kwargs)
        listed = isinstance(inputs, (list, tuple))
        if listed:
            masks = self.read_masks(inputs, mask)
            carried = all(get_mask(x) is m for x, m in zip(inputs, masks))
        else:
            masks = [self.read_mask(inputs, mask)]
            carried = get_mask(inputs) is masks[0]
        # As a keyword, because Keras does not see a mask among the positional
        # arguments. What the inputs carry it finds by itself.
        if not carried:
            kwargs["mask"] = masks if listed else masks[0]
        if not KEEPS_MASKS_OF_CASTS:
            inputs = keras.tree.map_structure(self._cast, inputs)
        return self.call_trusting(masks, inputs, **kwargs)

    def call_trusting(
        self, masks: Sequence[Any], *inputs: Any, **kwargs: Any
    ) -> Any:
        """Keras' `__call__`, in which `masks` are not checked again."""
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
        if torch_traces():  # PyTorch would break its graph at what follows
            return super().__call__(*inputs, **kwargs)
        # Past Keras, which tracks what is set. Two threads may overwrite each
        # other's: then one of them checks once more.
        object.__setattr__(self, "_checked", masks)
        try:
            return super().__call__(*inputs, **kwargs)
        finally:
            object.__setattr__(self, "_checked", ())

    def bind_by_name(
        self,
        first: tuple[Any, ...],
        more: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> dict[str, Any]:
        """Arguments of `call` that follow `first` by position, by their names.

        Keras lets nothing but tensors be passed by position.
        """
        signature = inspect.signature(self.call)
        signature.bind(*first, *more, **kwargs)  # else a TypeError says why
        return dict(zip([*signature.parameters][len(first) :], more))

    def _cast(self, x: Any) -> Any:
        # Up to 3.13 Keras casts inputs to half precision and loses their mask.
        # Later it does not, and a cast of ours would stand in the graph.
        mask = get_mask(x)
        if mask is None:
            return x
        x = self.dtype_policy.convert_input(x, self.autocast, self.input_dtype)
        if get_mask(x) is None:
            set_mask(x, mask)
        return x

    @cached_property
    def caller(self) -> str:
        """How a message names this layer."""
        return self.caller_of(self.name)

    def caller_of(self, name: str) -> str:
        """The same, for a layer that does not have its name yet."""
        return f"layer '{name}' (of type {type(self).__name__})"

    def read_mask(self, inputs: Any, mask: Tensor | None) -> Tensor | None:
        """The mask to obey: the explicit one, else the one carried."""
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
        """How many of the inputs' axes a mask has."""
        return 2

    def read_masks(
        self, inputs: Sequence[Tensor], mask: Any
    ) -> list[Tensor | None]:
        """The masks to obey, one for each input."""
        given = [None] * len(inputs) if mask is None else mask
        if not isinstance(given, (list, tuple)) or len(given) != len(inputs):
            raise MaskShapeError(
                describe(
                    self.caller,
                    "`mask` must be a list with a mask for each input.",
                    "Pass None for an input without one.",
                    mask=type(given).__name__,
                    inputs=len(inputs),
                )
            )
        return [self.read_mask(x, m) for x, m in zip(inputs, given)]

    def make_mask(self, inputs: Any, mask: Any) -> Any:
        """The mask of the inputs; by default the one that was read."""
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
    """A layer whose outputs have the dtype of its inputs, integers too."""

    def compute_output_spec(self, inputs: Any, mask: Any = None) -> Any:
        shape = self.compute_output_shape(inputs.shape)
        if isinstance(shape, list):
            return [keras.KerasTensor(s, dtype=inputs.dtype) for s in shape]
        return keras.KerasTensor(shape, dtype=inputs.dtype)


class Merger(MaskAware):
    """A layer of a list of inputs, each of which may have a mask."""

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
        """The mask that the output carries; at least one input has one."""
        raise NotImplementedError

    def compute_output_spec(
        self, inputs: list[keras.KerasTensor], mask: Any = None
    ) -> keras.KerasTensor:
        shape = self.compute_output_shape([x.shape for x in inputs])
        dtypes = {x.dtype for x in inputs}
        # One alone as it is: `result_type` makes float32 of float64.
        alone = len(dtypes) == 1
        dtype = dtypes.pop() if alone else keras.backend.result_type(*dtypes)
        return keras.KerasTensor(shape, dtype=dtype)


class StepMixer(MaskAware):
    """Makes a Keras layer that mixes steps obey the mask.

    Stands before the Keras layer in the bases of a class. Padding steps enter
    the Keras layer as 0 and leave it as 0, whatever they hold, NaN included.
    """

    def mix(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        """What the layer computes; padding of the output may be anything."""
        return super().call(fill_padding(inputs, mask))

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        if 0 in inputs.shape:  # of nothing comes nothing; some backends fail
            shape = self.compute_output_shape(inputs.shape)
            return keras.ops.zeros(shape, dtype=self.compute_dtype)
        outputs = self.mix(inputs, mask)
        if mask is None:
            return outputs
        real = self.output_mask(mask)
        return carrying(fill_padding(outputs, real), real)


def carrying(outputs: Tensor, mask: Tensor | None) -> Tensor:
    """`outputs` with their mask: Keras does not compute it once more then."""
    if mask is not None:
        set_mask(outputs, mask)
    return outputs


def zeros_like_specs(specs: Any) -> Any:
    """What comes of no rows or no steps, where Keras or a backend fails."""
    return keras.tree.map_structure(
        lambda y: keras.ops.zeros(y.shape, y.dtype), specs
    )


def copy_if_same(outputs: Tensor, inputs: Tensor) -> Tensor:
    """A tensor that is not `inputs`.

    Keras writes the output's mask onto the object that `call` returns, and
    that must not be the caller's tensor.
    """
    return copy_without_mask(outputs) if outputs is inputs else outputs


def copy_without_mask(x: Tensor) -> Tensor:
    """Another tensor of the same values, which carries no mask."""
    y = keras.ops.copy(x)
    if y is x:  # on OpenVINO
        y = keras.ops.squeeze(keras.ops.expand_dims(x, 0), 0)
    return y
