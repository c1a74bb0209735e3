"""What all layers share: how a mask gets in, is checked, and gets out."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras

from keras_masking._keras import KEEPS_MASKS_OF_CASTS
from keras_masking._keras import get_mask
from keras_masking._keras import set_mask
from keras_masking._types import Tensor
from keras_masking.errors import MaskShapeError
from keras_masking.errors import describe
from keras_masking.layers.checks import check_inputs
from keras_masking.ops import apply_mask
from keras_masking.ops import check_mask


class MaskAware(keras.layers.Layer):
    """A layer that reads a mask, checks it and hands it on.

    A subclass calls `self.read_mask(inputs, mask)` in `call`, and overrides
    `output_mask` where the mask that it emits differs from the one it reads.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A layer without weights is ready at once, as Keras' own ones are.
        if type(self).build is keras.layers.Layer.build:
            self.built = True

    def __call__(
        self, inputs: Any, mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        # Here and not in `call`: Keras would convert these first, and fail
        # with an error of the backend. As a keyword, because Keras does not
        # see a mask among the positional arguments.
        check_inputs(self.who, inputs)
        kwargs |= self.by_name((inputs, mask), args, kwargs)
        if mask is not None:
            kwargs["mask"] = self.read_mask(inputs, mask)
        inputs = keras.tree.map_structure(self._cast, inputs)
        return super().__call__(inputs, **kwargs)

    def by_name(
        self,
        first: tuple[Any, ...],
        more: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> dict[str, Any]:
        """Arguments of `call` that follow `first` by position, by their names.

        Keras lets nothing but tensors be passed by position.
        """
        if not more:
            return {}
        signature = inspect.signature(self.call)
        signature.bind(*first, *more, **kwargs)  # else a TypeError says why
        return dict(zip([*signature.parameters][len(first) :], more))

    def _cast(self, x: Any) -> Any:
        # Up to 3.13 Keras casts inputs to half precision and loses their mask.
        # Later it does not, and a cast of ours would stand in the graph.
        mask = get_mask(x)
        if mask is None or KEEPS_MASKS_OF_CASTS:
            return x
        x = self.dtype_policy.convert_input(x, self.autocast, self.input_dtype)
        if get_mask(x) is None:
            set_mask(x, mask)
        return x

    @property
    def who(self) -> str:
        """How a message names this layer."""
        return self.who_of(self.name)

    def who_of(self, name: str) -> str:
        """The same, for a layer that does not have its name yet."""
        return f"layer '{name}' (of type {type(self).__name__})"

    def read_mask(self, inputs: Any, mask: Tensor | None) -> Tensor | None:
        """The mask to obey: the explicit one, else the one carried."""
        if mask is None:  # a caller that bypasses `__call__`
            mask = get_mask(inputs)
        if mask is None:
            return None
        return check_mask(mask, inputs, self.who, self.mask_ndim(inputs, mask))

    def mask_ndim(self, inputs: Tensor, mask: Tensor) -> int:
        """How many of the inputs' axes a mask has."""
        return 2

    def read_masks(
        self, inputs: Sequence[Tensor], mask: Any
    ) -> list[Tensor | None] | None:
        """The masks to obey, one for each input; None if there is none."""
        given = [None] * len(inputs) if mask is None else mask
        if not isinstance(given, (list, tuple)) or len(given) != len(inputs):
            raise MaskShapeError(
                describe(
                    self.who,
                    "`mask` must be a list with a mask for each input.",
                    "Pass None for an input without one.",
                    mask=type(given).__name__,
                    inputs=len(inputs),
                )
            )
        read = MaskAware.read_mask
        masks = [read(self, x, m) for x, m in zip(inputs, given)]
        return None if all(m is None for m in masks) else masks

    def output_mask(self, mask: Tensor) -> Any:
        """The mask that the outputs carry."""
        return mask

    def compute_mask(self, inputs: Any, mask: Tensor | None = None) -> Any:
        # Checked here too, since a symbolic call does not reach `call`.
        mask = self.read_mask(inputs, mask)
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
                    self.who,
                    "`inputs` must be a list of tensors.",
                    "Call it as `layer([x, y])`.",
                    inputs=type(inputs).__name__,
                )
            )
        return super().__call__(inputs, mask, *args, **kwargs)

    def read_mask(self, inputs: Any, mask: Any) -> list[Tensor | None] | None:
        return self.read_masks(inputs, mask)

    def mask_of_each(self, inputs: Any, mask: Any) -> list[Tensor | None]:
        """As `read_mask`; a None for each input if there is no mask."""
        return self.read_mask(inputs, mask) or [None] * len(inputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = self.read_mask(inputs, mask)
        return None if masks is None else self.merge_masks(inputs, masks)

    def merge_masks(
        self, inputs: list[Tensor], masks: list[Tensor | None]
    ) -> Tensor:
        """The mask that the output carries; at least one input has one."""
        raise NotImplementedError

    def compute_output_spec(
        self, inputs: list[keras.KerasTensor], mask: Any = None
    ) -> keras.KerasTensor:
        self.read_mask(inputs, mask)
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
        return super().call(apply_mask(inputs, mask))

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        if 0 in inputs.shape:  # of nothing comes nothing; some backends fail
            shape = self.compute_output_shape(inputs.shape)
            return keras.ops.zeros(shape, dtype=self.compute_dtype)
        outputs = self.mix(inputs, mask)
        if mask is None:
            return outputs
        return apply_mask(outputs, self.output_mask(mask))


def zeros(specs: Any) -> Any:
    """What comes of no rows or no steps, where Keras or a backend fails."""
    return keras.tree.map_structure(
        lambda y: keras.ops.zeros(y.shape, y.dtype), specs
    )


def fresh(outputs: Tensor, inputs: Tensor) -> Tensor:
    """A tensor that is not `inputs`.

    Keras writes the output's mask onto the object that `call` returns, and
    that must not be the caller's tensor.
    """
    return copied(outputs) if outputs is inputs else outputs


def copied(x: Tensor) -> Tensor:
    """Another tensor of the same values, which carries no mask."""
    y = keras.ops.copy(x)
    if y is x:  # on OpenVINO
        y = keras.ops.squeeze(keras.ops.expand_dims(x, 0), 0)
    return y
