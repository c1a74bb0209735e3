"""Base classes of layers that slide a window along the steps."""

import keras

from keras_masking._arguments import is_whole
from keras_masking._packing import PackingNeed
from keras_masking._packing import window_need
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.base import StepMixer
from keras_masking.ops.known import is_symbol
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.windows import check_long_enough
from keras_masking.ops.windows import pooled_window_mask
from keras_masking.ops.windows import unchecked_window_mask


class Windowed(StepMixer):
    """Mixin that makes a Keras layer with windows respect the mask."""

    @property
    def window(self) -> tuple[int, int, str, int]:
        """Size, strides, kind of padding, and dilation rate of the window."""
        return (
            self.kernel_size[0],
            self.strides[0],
            self.padding,
            self.dilation_rate[0],
        )

    @property
    def packing_need(self) -> PackingNeed:  # type: ignore[override]
        """What it needs between two sequences of a packed row."""
        return window_need(*self.window)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.padding == "valid":
            self._check_steps(inputs.shape[1])
        return super().call(inputs, mask)

    def output_mask(self, mask: Tensor) -> Tensor:
        return unchecked_window_mask(mask, *self.window)

    def mask_of_outputs(self, mask: Tensor, outputs: Tensor) -> Tensor:
        if keras.backend.backend() == "jax" and is_symbol(outputs.shape[1]):
            return pooled_window_mask(mask, *self.window)
        return self.output_mask(mask)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, steps, *features = input_shape
        *_, features_out = super().compute_output_shape(
            (batch, None, *features)
        )
        if steps is not None:
            self._check_steps(steps)
            size, strides, padding, dilation_rate = self.window
            if padding == "valid":
                steps -= (size - 1) * dilation_rate
            steps = -(-steps // strides)
        return (batch, steps, features_out)

    def _check_steps(self, steps: int | None) -> None:
        size, _, padding, dilation_rate = self.window
        span = (size - 1) * dilation_rate
        check_long_enough(self.caller, steps, span + 1, padding)


class Convolution(Windowed):
    """A Keras convolution with strided `"same"` windows at fixed places."""

    def mix(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        size, strides, padding, dilation_rate = self.window
        if padding != "same" or strides == 1:
            return super().mix(inputs, mask)
        steps = inputs.shape[1]
        if is_whole(steps) and steps % strides == 0:
            return super().mix(inputs, mask)  # Keras pads by our rule
        # By a number that does not depend on the length: what a converter does
        # with one that does is slow, or wrong.
        span = (size - 1) * dilation_rate
        left = max(span + 1 - strides, 0) // 2
        inputs = fill_padding(inputs, mask)
        inputs = keras.ops.pad(inputs, ((0, 0), (left, span - left), (0, 0)))
        view = self.with_attributes(padding="valid")
        return super(Convolution, view).mix(inputs, None)
