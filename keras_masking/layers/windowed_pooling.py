"""Pooling over the real steps of each window."""

from collections.abc import Callable
from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.layers.checks import check_data_format
from keras_masking.layers.windowed import Windowed
from keras_masking.ops.pooling import real_window_max
from keras_masking.ops.pooling import real_window_mean
from keras_masking.ops.windows import check_window


class WindowedPooling(Windowed):
    """A Keras pooling layer whose windows skip padding steps."""

    reduction: Callable[..., Tensor]

    @property
    def window(self) -> tuple[int, int, str, int]:
        """Size, strides, kind of padding, and dilation rate of the window."""
        return self.pool_size[0], self.strides[0], self.padding, 1

    def check_arguments(self, data_format: str | None) -> None:
        """Rejects arguments that Keras accepts but fails on later."""
        self.data_format = check_data_format(self.caller, data_format)
        size, strides, padding, _ = self.window
        check_window(
            self.caller,
            padding,
            ("valid", "same"),
            pool_size=size,
            strides=strides,
        )

    def mix(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        inputs = keras.ops.cast(inputs, self.compute_dtype)
        # A whole window with a padding step is padding: `call` makes it 0.
        mask = None if self.padding == "valid" else mask
        return self.reduction(inputs, mask, *self.window[:3])


@export
class MaskedAveragePooling1D(WindowedPooling, keras.layers.AveragePooling1D):
    """Averages the real steps of each window.

    Strided windows start at the first column: padding on the left changes
    nothing if its length is a multiple of `strides`.

    Args:
        pool_size: Steps in a window.
        strides: Steps from one window to the next. Defaults to `pool_size`.
        padding: `"valid"` or `"same"`. Defaults to `"valid"`.
        data_format: `"channels_last"`, the default and the only order
            supported.
        name: Name of the layer.
        **kwargs: Base layer keyword arguments, such as `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. A mean divides by the number of real steps in
            the window.
        Emits: `(batch, windows)`.
        Windows: with `"valid"` a window is real if all its steps are; with
            `"same"` if its anchor is; the anchors are every `strides`-th step.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.AveragePooling1D`: the same arguments, and
            without a mask the same outputs.
        Differs: padding steps do not count, and the mask is passed on. One
            difference without a mask: strided `"same"` windows do not move with
            the length: they start `max(pool_size - strides, 0) // 2` steps
            before their anchor. In Keras their place depends on the padded
            length; the two agree if `strides` divides it. The edge steps of
            such windows count once, as on TensorFlow and JAX; on torch, Keras
            before 3.16 counts some twice.

    Returns:
        Tensor of shape `(batch, windows, features)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a size is not positive, `data_format` is
            `"channels_first"`, or a `"valid"` window is longer than the
            sequence.

    Example:

    >>> pool = keras_masking.layers.MaskedAveragePooling1D(3, 1, "same")
    >>> x = np.array([[[-1.0], [-2.0], [-6.0], [9.0]]])
    >>> y = pool(x, mask=np.array([[True, True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [-1.5, -3.0, -4.0, 0.0]
    """

    reduction = staticmethod(real_window_mean)

    def __init__(
        self,
        pool_size: int,
        strides: int | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            pool_size, strides, padding, data_format, name, **kwargs
        )
        self.check_arguments(data_format)


@export
class MaskedMaxPooling1D(WindowedPooling, keras.layers.MaxPooling1D):
    """Takes the maximum over the real steps of each window.

    Strided windows start at the first column: padding on the left changes
    nothing if its length is a multiple of `strides`.

    Args:
        pool_size: Steps in a window. Defaults to 2.
        strides: Steps from one window to the next. Defaults to `pool_size`.
        padding: `"valid"` or `"same"`. Defaults to `"valid"`.
        data_format: `"channels_last"`, the default and the only order
            supported.
        name: Name of the layer.
        **kwargs: Base layer keyword arguments, such as `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Padding steps are never the maximum.
        Emits: `(batch, windows)`.
        Windows: with `"valid"` a window is real if all its steps are; with
            `"same"` if its anchor is; the anchors are every `strides`-th step.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.MaxPooling1D`: the same arguments, and
            without a mask the same outputs.
        Differs: padding steps do not count, and the mask is passed on. One
            difference without a mask: strided `"same"` windows do not move with
            the length: they start `max(pool_size - strides, 0) // 2` steps
            before their anchor. In Keras their place depends on the padded
            length; the two agree if `strides` divides it.

    Returns:
        Tensor of shape `(batch, windows, features)`, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a size is not positive, `data_format` is
            `"channels_first"`, or a `"valid"` window is longer than the
            sequence.

    Example:

    >>> pool = keras_masking.layers.MaskedMaxPooling1D(3, 1, "same")
    >>> x = np.array([[[-1.0], [-2.0], [-6.0], [9.0]]])
    >>> y = pool(x, mask=np.array([[True, True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [-1.0, -1.0, -2.0, 0.0]
    """

    reduction = staticmethod(real_window_max)

    def __init__(
        self,
        pool_size: int = 2,
        strides: int | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            pool_size, strides, padding, data_format, name, **kwargs
        )
        self.check_arguments(data_format)
