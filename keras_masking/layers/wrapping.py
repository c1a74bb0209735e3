"""Base class of layers that wrap another layer."""

import inspect
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from keras_masking._keras import set_mask
from keras_masking._keras import with_sublayers
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.inner_statistics import lend_mask
from keras_masking.layers.recurrent_base import check_unrolled
from keras_masking.layers.recurrent_base import sequence_mask
from keras_masking.layers.segments import CarriedMask
from keras_masking.layers.segments import Rehearsal


class Wrapping(MaskAware, keras.layers.Wrapper):
    """A layer that calls another layer and passes it the mask.

    Recurrent layers are recognized by their documented attributes:
    `return_sequences`, `go_backwards`, `unroll`, and those of `Bidirectional`.
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        if not isinstance(layer, keras.layers.Layer):
            raise ValueError(
                describe(
                    f"`{type(self).__name__}`",
                    "`layer` must be a Keras layer.",
                    "Pass an instance, for example `keras.layers.LSTM(8)`.",
                    layer=repr(layer),
                )
            )
        # The layer inside casts its inputs.
        super().__init__(layer, autocast=False, **kwargs)

    def build(self, input_shape: Shape) -> None:
        # A layer without its own `build` is built when it is called.
        if type(self.layer).build is not keras.layers.Layer.build:
            super().build(input_shape)

    # The number of axes that become the rows of the layer inside.
    row_axes = 1

    def __call__(
        self, inputs: Any, mask: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        outputs = super().__call__(inputs, mask, *args, **kwargs)
        flat = keras.tree.flatten(outputs)
        if isinstance(flat[0], keras.KerasTensor) and self.opaque:
            for y, ndim in zip(flat, self.rehearsed(inputs, mask)):
                if ndim is not None:
                    set_mask(y, CarriedMask(ndim)(y))
        return outputs

    def rehearsed(self, inputs: Any, mask: Any) -> list[int | None]:
        """The rank of the mask that each output will carry."""
        mask = self.read_mask(inputs, mask)
        inputs, mask = keras.tree.map_structure(self._stand_in, (inputs, mask))
        rehearsal = Rehearsal(self.call)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the actual run will warn
                rehearsal.compute_output_spec(inputs, mask)
        except Exception:  # code that needs concrete values
            return []  # the outputs carry their masks anyway
        return rehearsal.ndims

    def _stand_in(self, x: Tensor | None) -> keras.KerasTensor | None:
        if x is None:
            return None
        # A few rows, since Keras may run real computations on them.
        first, rest = x.shape[: self.row_axes], x.shape[self.row_axes :]
        shape = (*(size or 2 for size in first), *(n or None for n in rest))
        return keras.KerasTensor(
            shape, dtype=keras.backend.standardize_dtype(x.dtype)
        )

    @property
    def opaque(self) -> bool:
        """Whether only the outputs of the layer inside show its masks.

        This holds for models, and for wrappers that leave masks to Keras.
        """
        if isinstance(self.layer, Wrapping):
            return self.layer.opaque
        default = (
            type(self.layer).compute_mask is keras.layers.Layer.compute_mask
        )
        composed = len(with_sublayers(self.layer)) > 1
        return default and composed and not self.recurrent

    def declared_masks(self, inputs: Any, mask: Any) -> list[Tensor | None]:
        """The output masks by the `compute_mask` of the layer inside."""
        own = (
            type(self.layer).compute_mask is not keras.layers.Layer.compute_mask
        )
        if not own and not self.layer.supports_masking:
            return [None]
        return keras.tree.flatten(self.layer.compute_mask(inputs, mask))

    @property
    def inner_label(self) -> str:
        """The name of the layer inside in error messages."""
        return f"{type(self.layer).__name__} '{self.layer.name}'"

    @property
    def recurrent(self) -> bool:
        """Whether the layer inside is recurrent."""
        return hasattr(self.layer, "return_sequences")

    @property
    def directions(self) -> list[Any]:
        """The recurrent layers; two in a `Bidirectional`."""
        names = ("forward_layer", "backward_layer")
        found = [
            getattr(self.layer, n) for n in names if hasattr(self.layer, n)
        ]
        return found or [self.layer]

    @property
    def sequences(self) -> int:
        """How many of the outputs are not states."""
        return 2 if getattr(self.layer, "merge_mode", "") is None else 1

    @property
    def stateful(self) -> bool:
        """Whether the layer inside keeps its states between calls."""
        return bool(getattr(self.layer, "stateful", False))

    def reset_state(self) -> None:
        """Resets the states of the layer inside to 0."""
        self.layer.reset_state()

    def sequence_mask(self, mask: Tensor) -> Tensor | None:
        """The mask of the sequence that the layer inside returns."""
        if not self.recurrent:
            return mask
        return sequence_mask(self.directions[0], mask)

    def call_with_mask(
        self, inputs: Any, mask: Any, real: Tensor | None, **kwargs: Any
    ) -> Any:
        """Calls the layer inside with the mask.

        With a mask, `inputs` must be new tensors: a layer without a `mask`
        argument gets it attached to them. `real`, `(rows,)` or `(rows, steps)`,
        is lent to the layers inside.
        """
        self._check_unrolled(mask)
        parameters = inspect.signature(self.layer.call).parameters
        given = {k: v for k, v in kwargs.items() if v is not None}
        if "training" not in parameters:
            given.pop("training", None)
        if mask is not None and "mask" in parameters:
            given["mask"] = mask
        elif mask is not None:
            listed = isinstance(mask, list)
            pairs = zip(inputs, mask) if listed else [(inputs, mask)]
            for x, m in pairs:
                if m is not None:
                    set_mask(x, m)
        with (
            lend_mask(self.layer, real, self.caller),
            self._no_warning(mask, real),
        ):
            return self.layer(inputs, **given)

    @contextmanager
    def _no_warning(self, mask: Any, real: Tensor | None) -> Iterator[None]:
        """Ignores Keras' warning about a mask that this wrapper keeps."""
        if mask is None:
            yield
            return
        # A mask of rows alone cannot be lost by layers inside either.
        of_rows = real is not None and len(real.shape) < 2
        called = with_sublayers(self.layer) if of_rows else self.directions
        deaf = {
            re.escape(layer.name)
            for layer in (self.layer, *called)
            if not layer.supports_masking
        }
        if not deaf:  # leave the filters, whose change slows warnings down
            yield
            return
        names = "|".join(sorted(deaf))
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", rf"Layer '({names})' .*destroy the mask"
            )
            yield

    def _check_unrolled(self, mask: Any) -> None:
        for layer in self.directions:
            check_unrolled(self.caller, layer, mask, layer=self.inner_label)
