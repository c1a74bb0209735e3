"""Convolutions that ignore padding."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking.layers.checks import check_data_format
from keras_masking.layers.windowed import Convolution


@export
class MaskedConv1D(Convolution, keras.layers.Conv1D):
    """Convolution over the real steps of a sequence.

    A strided convolution starts at the first column: padding on the left
    changes nothing if its length is a multiple of `strides`.

    Args:
        filters: Number of output features.
        kernel_size: Steps in a window.
        strides: Steps from one window to the next. Defaults to 1.
        padding: `"valid"`, `"same"` or `"causal"`. Defaults to `"valid"`.
        data_format: `"channels_last"`, the default and the only order
            supported.
        dilation_rate: Distance between neighbouring steps of a window. Defaults
            to 1; cannot be combined with strides.
        groups: Number of groups that the features are split into.
        *args: The remaining arguments of `keras.layers.Conv1D`, in its order.
        **kwargs: The other arguments of `keras.layers.Conv1D`: `activation`,
            `use_bias`, initializers, regularizers and constraints; and base
            layer arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. A padding step counts as 0.
        Emits: `(batch, output steps)`.
        Windows: with `"valid"` an output step is real if all of its window is;
            with `"same"` and `"causal"` if its anchor is; the anchors are every
            `strides`-th step.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.Conv1D`: the same arguments and weights, and
            without a mask the same outputs.
        Differs: padding is ignored, and the mask is passed on. One difference
            without a mask: strided `"same"` windows do not move with the
            length: they start `max(span + 1 - strides, 0) // 2` steps before
            their anchor with `span = (kernel_size - 1) * dilation_rate`. In
            Keras their place depends on the padded length; the two agree if
            `strides` divides it.

    Returns:
        Tensor of shape `(batch, output steps, filters)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a size is not positive, `strides` and `dilation_rate`
            are both above 1, `data_format` is `"channels_first"`, or a
            `"valid"` window is longer than the sequence.

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
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            groups,
            *args,
            **kwargs,
        )
        self.data_format = check_data_format(self.caller, data_format)


@export
class MaskedDepthwiseConv1D(Convolution, keras.layers.DepthwiseConv1D):
    """Convolution of each feature separately, over its real steps.

    A strided convolution starts at the first column: padding on the left
    changes nothing if its length is a multiple of `strides`.

    Args:
        kernel_size: Steps in a window.
        strides: Steps from one window to the next. Defaults to 1.
        padding: `"valid"` or `"same"`. Defaults to `"valid"`.
        depth_multiplier: Number of outputs for each feature. Defaults to 1.
        data_format: `"channels_last"`, the default and the only order
            supported.
        dilation_rate: Distance between neighbouring steps of a window. Defaults
            to 1. Older versions of Keras do not allow it with strides.
        *args: The remaining arguments of `keras.layers.DepthwiseConv1D`, in its
            order.
        **kwargs: The other arguments of `keras.layers.DepthwiseConv1D`:
            `activation`, `use_bias`, initializers, regularizers and
            constraints; and base layer arguments, such as `name`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. A padding step counts as 0.
        Emits: `(batch, output steps)`.
        Windows: with `"valid"` an output step is real if all of its window is;
            with `"same"` if its anchor is; the anchors are every `strides`-th
            step.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.DepthwiseConv1D`: the same arguments and
            weights, and without a mask the same outputs.
        Differs: padding is ignored, and the mask is passed on. One difference
            without a mask: strided `"same"` windows do not move with the
            length: they start `max(span + 1 - strides, 0) // 2` steps before
            their anchor with `span = (kernel_size - 1) * dilation_rate`. In
            Keras their place depends on the padded length; the two agree if
            `strides` divides it.

    Returns:
        Tensor of shape `(batch, output steps, features * depth_multiplier)`,
        of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a size is not positive, `data_format` is
            `"channels_first"`, or a `"valid"` window is longer than the
            sequence.

    Example:

    >>> conv = keras_masking.layers.MaskedDepthwiseConv1D(
    ...     3, padding="same", depthwise_initializer="ones"
    ... )
    >>> x = np.array([[[1.0], [2.0], [9.0], [9.0]]])
    >>> y = conv(x, mask=np.array([[True, True, False, False]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [3.0, 3.0, 0.0, 0.0]
    """

    def __init__(
        self,
        kernel_size: int,
        strides: int = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: int = 1,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            depth_multiplier,
            data_format,
            dilation_rate,
            *args,
            **kwargs,
        )
        self.data_format = check_data_format(self.caller, data_format)


@export
class MaskedSeparableConv1D(Convolution, keras.layers.SeparableConv1D):
    """Depthwise, then pointwise convolution over real steps.

    A strided convolution starts at the first column: padding on the left
    changes nothing if its length is a multiple of `strides`.

    Args:
        filters: Number of output features.
        kernel_size: Steps in a window.
        strides: Steps from one window to the next. Defaults to 1.
        padding: `"valid"` or `"same"`. Defaults to `"valid"`.
        data_format: `"channels_last"`, the default and the only order
            supported.
        dilation_rate: Distance between neighbouring steps of a window. Defaults
            to 1. Older versions of Keras do not allow it with strides.
        depth_multiplier: Number of depthwise outputs for each feature.
            Defaults to 1.
        *args: The remaining arguments of `keras.layers.SeparableConv1D`, in its
            order.
        **kwargs: The other arguments of `keras.layers.SeparableConv1D`:
            `activation`, `use_bias`, initializers, regularizers and
            constraints; and base layer arguments, such as `name`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. A padding step counts as 0.
        Emits: `(batch, output steps)`.
        Windows: with `"valid"` an output step is real if all of its window is;
            with `"same"` if its anchor is; the anchors are every `strides`-th
            step.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.SeparableConv1D`: the same arguments and
            weights, and without a mask the same outputs.
        Differs: padding is ignored, and the mask is passed on. One difference
            without a mask: strided `"same"` windows do not move with the
            length: they start `max(span + 1 - strides, 0) // 2` steps before
            their anchor with `span = (kernel_size - 1) * dilation_rate`. In
            Keras their place depends on the padded length; the two agree if
            `strides` divides it.

    Returns:
        Tensor of shape `(batch, output steps, filters)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a size is not positive, `data_format` is
            `"channels_first"`, or a `"valid"` window is longer than the
            sequence.

    Example:

    >>> conv = keras_masking.layers.MaskedSeparableConv1D(
    ...     1,
    ...     3,
    ...     padding="same",
    ...     depthwise_initializer="ones",
    ...     pointwise_initializer="ones",
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
        depth_multiplier: int = 1,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            depth_multiplier,
            *args,
            **kwargs,
        )
        self.data_format = check_data_format(self.caller, data_format)
