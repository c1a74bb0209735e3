"""What the layers around another layer share."""

import inspect
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from keras_masking._keras import set_mask
from keras_masking._keras import with_sublayers
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.inner_statistics import lent


class Wrapping(MaskAware, keras.layers.Wrapper):
    """A layer that calls another one and tells it the mask.

    A recurrent layer is known by the arguments that Keras documents for it:
    `return_sequences`, `go_backwards`, `unroll`, and those of `Bidirectional`.
    """

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        if not isinstance(layer, keras.layers.Layer):
            raise ValueError(
                describe(
                    f"`{type(self).__name__}`",
                    "`layer` must be a Keras layer.",
                    "Pass a layer that is made: `keras.layers.LSTM(8)` say.",
                    layer=repr(layer),
                )
            )
        # The layer inside casts what it is given.
        super().__init__(layer, autocast=False, **kwargs)

    def build(self, input_shape: Shape) -> None:
        # Without a `build` of its own a layer builds itself when it is called.
        if type(self.layer).build is not keras.layers.Layer.build:
            super().build(input_shape)

    @property
    def told(self) -> str:
        """How a message names the layer inside."""
        return f"{type(self.layer).__name__} '{self.layer.name}'"

    @property
    def recurrent(self) -> bool:
        """Whether the layer inside is a recurrent one."""
        return hasattr(self.layer, "return_sequences")

    @property
    def directions(self) -> list[Any]:
        """The layers that go through the steps: two of a `Bidirectional`."""
        names = ("forward_layer", "backward_layer")
        found = [
            getattr(self.layer, n) for n in names if hasattr(self.layer, n)
        ]
        return found or [self.layer]

    @property
    def stateful(self) -> bool:
        """Whether the layer inside keeps its states between calls."""
        return bool(getattr(self.layer, "stateful", False))

    def reset_state(self) -> None:
        """Puts the states of the layer inside back to 0."""
        self.layer.reset_state()

    def sequence_mask(self, mask: Tensor) -> Tensor | None:
        """The mask of the sequence that a recurrent layer returns."""
        if not getattr(self.layer, "return_sequences", True):
            return None
        if getattr(self.directions[0], "go_backwards", False):
            return ops.flip(mask, axis=1)  # as its outputs are
        return mask

    def tell(
        self, inputs: Any, mask: Any, real: Tensor | None, **kwargs: Any
    ) -> Any:
        """Calls the layer inside and tells it the mask, in whatever way.

        The inputs must be fresh tensors where there is a mask: a layer that
        takes none as an argument gets it on them. `real` is lent to the layers
        inside: `(rows,)`, or `(rows, steps)`.
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
        with lent(self.layer, real, self.who), self._no_warning(mask, real):
            return self.layer(inputs, **given)

    @contextmanager
    def _no_warning(self, mask: Any, real: Tensor | None) -> Iterator[None]:
        """Keras would warn of a mask that is put on the output here."""
        if mask is None:
            yield
            return
        # Nor do layers inside lose anything of a mask that has rows alone.
        of_rows = real is not None and len(real.shape) < 2
        called = with_sublayers(self.layer) if of_rows else self.directions
        deaf = {
            re.escape(layer.name)
            for layer in (self.layer, *called)
            if not layer.supports_masking
        }
        if not deaf:  # no need to touch the filters, which slows warnings down
            yield
            return
        told = "|".join(sorted(deaf))
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", rf"Layer '({told})' .*destroy the mask"
            )
            yield

    def _check_unrolled(self, mask: Any) -> None:
        for layer in self.directions:
            backwards = getattr(layer, "go_backwards", False)
            if mask is not None and backwards and getattr(layer, "unroll", 0):
                raise ValueError(
                    describe(
                        self.who,
                        "Keras has no right numbers for a masked sequence that "
                        "is unrolled backwards.",
                        "Pass `unroll=False`: the layer computes the same.",
                        layer=self.told,
                        unroll=True,
                        go_backwards=True,
                    )
                )
