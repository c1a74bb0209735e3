"""Transposed convolution that ignores padding."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking._packing import PackingNeed
from keras_masking._packing import transposed_need
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.base import StepMixer
from keras_masking.layers.checks import check_data_format
from keras_masking.layers.checks import check_integer
from keras_masking.ops.windows import unchecked_transposed_window_mask


@export
class MaskedConv1DTranspose(StepMixer, keras.layers.Conv1DTranspose):
    """Transposed convolution over the real steps of a sequence.

    Args:
        filters: Number of output features.
        kernel_size: Output steps that each input step adds to.
        strides: Output steps from one input step to the next. Defaults to 1.
        padding: `"valid"` or `"same"`. Defaults to `"valid"`.
        output_padding: Output steps beyond the shortest output, less than
            `strides`. By default `"same"` outputs are `strides` times as long
            as the inputs, and `"valid"` outputs at least as long.
        data_format: `"channels_last"`, the default and the only order
            supported.
        dilation_rate: Distance between neighbouring output steps that an input
            step adds to. Defaults to 1; cannot be combined with strides.
        *args: The remaining arguments of `keras.layers.Conv1DTranspose`, in its
            order.
        **kwargs: The other arguments of `keras.layers.Conv1DTranspose`:
            `activation`, `use_bias`, initializers, regularizers and
            constraints; and base layer arguments, such as `name`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. A padding step adds nothing.
        Emits: `(batch, output steps)`.
        Windows: a run of real steps has as many real outputs as it has alone.
            Without `output_padding`: with `"same"`, `strides` for each step;
            with `"valid"`, `max(span + 1 - strides, 0)` more, where `span =
            (kernel_size - 1) * dilation_rate`.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.Conv1DTranspose`: the same arguments and
            weights, and without a mask the same outputs.
        Differs: padding is ignored, and the mask is passed on.

    Returns:
        Tensor of shape `(batch, output steps, filters)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a size is not positive, `output_padding` is not less
            than `strides`, `strides` and `dilation_rate` are both above 1, or
            `data_format` is `"channels_first"`.

    Example:

    >>> conv = keras_masking.layers.MaskedConv1DTranspose(
    ...     1, 2, strides=2, kernel_initializer="ones"
    ... )
    >>> x = np.array([[[1.0], [2.0], [9.0]]])
    >>> y = conv(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [1.0, 1.0, 2.0, 2.0, 0.0, 0.0]
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        padding: str = "valid",
        output_padding: int | None = None,
        data_format: str | None = None,
        dilation_rate: int = 1,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation_rate,
            *args,
            **kwargs,
        )
        self.data_format = check_data_format(self.caller, data_format)
        if output_padding is not None:  # Keras 3.12 does not check or save it
            (extra,) = self.output_padding
            limit = self.strides[0] - 1
            check_integer(self.caller, "output_padding", extra, 0, limit)

    @property
    def packing_need(self) -> PackingNeed | str:  # type: ignore[override]
        """What it needs between two sequences, or why it cannot take them."""
        if self.output_padding is not None:
            return "`output_padding` is set"
        how = self.kernel_size[0], self.strides[0], self.padding
        return transposed_need(*how, self.dilation_rate[0])

    def output_mask(self, mask: Tensor) -> Tensor:
        extra = self.output_padding
        return unchecked_transposed_window_mask(
            mask,
            self.kernel_size[0],
            self.strides[0],
            self.padding,
            None if extra is None else extra[0],
            self.dilation_rate[0],
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, steps, filters = super().compute_output_shape(input_shape)
        # Keras' formula is negative for a sequence of no steps.
        return (batch, None if steps is None else max(steps, 0), filters)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_padding": self.output_padding}
