"""Base classes of layers that reduce a sequence to one vector."""

import warnings
from collections.abc import Callable
from typing import Any

import keras

from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.base import MaskAware
from keras_masking.layers.checks import check_boolean
from keras_masking.layers.checks import check_data_format
from keras_masking.layers.checks import check_number
from keras_masking.ops.masks import has_real_step


class GlobalPooling(MaskAware):
    """A global pooling layer without its reduction."""

    reduction: Callable[..., Tensor]

    def __init__(
        self, keepdims: bool = False, empty_value: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.keepdims = check_boolean(self.caller, "keepdims", keepdims)
        self.empty_value = check_number(self.caller, "empty_value", empty_value)
        self.input_spec = keras.layers.InputSpec(min_ndim=3)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.reduction(
            inputs,
            self.read_mask(inputs, mask),
            keepdims=self.keepdims,
            empty_value=self.empty_value,
        )

    def output_mask(self, mask: Tensor) -> Tensor | None:
        return (
            has_real_step(mask, axis=1, keepdims=True)
            if self.keepdims
            else None
        )

    def compute_output_spec(
        self, inputs: keras.KerasTensor, mask: Tensor | None = None
    ) -> keras.KerasTensor:
        # The dtype depends on the reduction: a mean of integers is a float.
        y = self.reduction(inputs, None, keepdims=self.keepdims)
        return keras.KerasTensor(y.shape, dtype=y.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, _, *features = input_shape
        return (batch, *([1] if self.keepdims else []), *features)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "keepdims": self.keepdims,
            "empty_value": self.empty_value,
        }


class OwnPooling(GlobalPooling):
    """A pooling layer that Keras does not have."""

    def __init__(
        self, keepdims: bool = False, empty_value: float = 0.0, **kwargs: Any
    ) -> None:
        given = kwargs.pop("data_format", None)
        super().__init__(keepdims, empty_value, **kwargs)
        if given is not None:
            check_data_format(self.caller, given)
            warnings.warn(
                f"In {self.caller}: `data_format` is deprecated; leave it out.",
                DeprecationWarning,
                stacklevel=3,
            )
