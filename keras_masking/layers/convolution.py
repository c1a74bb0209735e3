"""Convolutions that padding does not enter."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.layers.base import StepMixer
from keras_masking.layers.checks import check_data_format
from keras_masking.ops import window_mask


@export
class MaskedConv1D(StepMixer, keras.layers.Conv1D):
    """Convolution over the steps of a sequence, blind to its padding.

    Drops in for `keras.layers.Conv1D`: the same arguments, weights and, without
    a mask, numbers, with one exception. Keras splits the padding of a strided
    `"same"` convolution by the length of the padded batch, so its windows shift
    when a batch is padded more. Here the padding on the left is
    `max(span + 1 - strides, 0) // 2`, `span = (kernel_size - 1) *
    dilation_rate`, whatever the length, which is what Keras has whenever
    `strides` divides the number of steps.

    A strided convolution starts at the first column: padding on the left
    changes nothing if it is a multiple of `strides`.

    Args:
        filters: Number of output features.
        kernel_size: Steps in a window.
        strides: Steps from one window to the next. Defaults to 1.
        padding: `"valid"`, `"same"` or `"causal"`. Defaults to `"valid"`.
        data_format: `"channels_last"`, the only order of axes that has a
            meaning here. Defaults to that.
        dilation_rate: Distance of neighbouring steps of a window. Defaults to
            1; cannot go together with strides.
        groups: Number of groups that the features are split into.
        **kwargs: The other arguments of `keras.layers.Conv1D`: `activation`,
            `use_bias`, initializers, regularizers and constraints; and those
            of a base layer, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. A padding step counts as 0.
        Emits: `(batch, output steps)`. With `"valid"` a step is real when its
            whole window is; with `"same"` and `"causal"` when its anchor is,
            each `strides`-th step.
        Empty row: zeros.
        Padding values: reach neither the output nor the gradient, NaN
            included. The output is 0 at padding steps.

    Returns:
        Tensor of shape `(batch, output steps, filters)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a size is not positive, `strides` and `dilation_rate`
            are both above 1, or `data_format` is `"channels_first"`.

    Example:

    >>> conv = keras_masking.layers.MaskedConv1D(
    ...     1, 3, padding="same", kernel_initializer="ones"
    ... )
    >>> x = np.array([[[1.0], [2.0], [9.0], [9.0]]])
    >>> y = conv(x, mask=np.array([[True, True, False, False]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [3.0, 3.0, 0.0, 0.0]
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int = 1,
        groups: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            groups=groups,
            **kwargs,
        )
        self.data_format = check_data_format(self.who, data_format)

    def prepare(self, inputs: Tensor) -> Tensor:
        # Keras pads by our rule when the strides divide the length, and zeros
        # at the end change nothing else.
        strides = self.strides[0]
        if self.padding != "same" or strides == 1:
            return inputs
        missing = -keras.ops.shape(inputs)[1] % strides
        return keras.ops.pad(inputs, ((0, 0), (0, missing), (0, 0)))

    def output_mask(self, mask: Tensor) -> Tensor:
        return window_mask(
            mask,
            self.kernel_size[0],
            self.strides[0],
            self.padding,
            self.dilation_rate[0],
        )
