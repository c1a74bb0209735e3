"""Layers that remove, add or repeat steps, and change the mask likewise."""

from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._packing import PackingNeed
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.base import KeepsDtype
from keras_masking.layers.base import copy_if_same
from keras_masking.layers.checks import check_data_format
from keras_masking.layers.checks import check_integer
from keras_masking.ops.known import is_symbol


class Resized(KeepsDtype):
    """A Keras layer that moves whole steps, and the mask in the same way."""

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return copy_if_same(super().call(inputs), inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(super().compute_output_shape(input_shape))


@export
class MaskedCropping1D(Resized, keras.layers.Cropping1D):
    """Crops a sequence and its mask at both ends.

    Like its namesake it removes columns of the padded array: at the end these
    are padding in one batch and real steps in another.

    Args:
        cropping: Number of steps to remove at each end, or a pair of numbers
            for the start and the end. Defaults to `(1, 1)`.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`.
        Emits: `(batch, steps left)`: the remaining columns of the mask.
        Empty row: unchanged.
        Padding values: stay in their step.

    Keras layer:
        Drops in for: `keras.layers.Cropping1D`: the same arguments and outputs.
        Differs: the mask is cropped too; Keras loses it.

    Returns:
        Tensor of shape `(batch, steps left, features)`.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `cropping` is neither a number nor a pair, or leaves no
            steps.

    Example:

    >>> x = np.array([[[1.0], [2.0], [3.0], [9.0]]])
    >>> crop = keras_masking.layers.MaskedCropping1D((1, 0))
    >>> y = crop(x, mask=np.array([[True, True, True, False]]))
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(y)).tolist()
    [[True, True, False]]
    """

    packing_need = "it moves the starts of sequences"

    def __init__(
        self, cropping: int | tuple[int, int] = (1, 1), **kwargs: Any
    ) -> None:
        super().__init__(cropping, **kwargs)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if not is_symbol(inputs.shape[1]):
            return super().call(inputs, mask)
        # Keras compares the length, which a symbol cannot be.
        return copy_if_same(self._cropped(inputs), inputs)

    def output_mask(self, mask: Tensor) -> Tensor:
        return self._cropped(mask)

    def _cropped(self, x: Tensor) -> Tensor:
        first, last = self.cropping
        return x[:, first : -last or None]


@export
class MaskedZeroPadding1D(Resized, keras.layers.ZeroPadding1D):
    """Adds steps of zeros at both ends of a sequence, as padding.

    The added steps are padding. Without a mask the output has none, and the
    zeros count as real, as in Keras.

    Args:
        padding: Number of steps to add at each end, or a pair of numbers for
            the start and the end. Defaults to 1.
        data_format: `"channels_last"`, the default and the only order
            supported.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`.
        Emits: `(batch, output steps)`: False at added steps.
        Empty row: stays empty.
        Padding values: stay in their step.

    Keras layer:
        Drops in for: `keras.layers.ZeroPadding1D`: the same arguments and
            outputs.
        Differs: the mask is extended too; Keras loses it. `data_format` must be
            `"channels_last"`.

    Returns:
        Tensor of shape `(batch, output steps, features)`.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `padding` is neither a number nor a pair, or
            `data_format` is `"channels_first"`.

    Example:

    >>> x = np.array([[[1.0], [9.0]]])
    >>> pad = keras_masking.layers.MaskedZeroPadding1D((1, 0))
    >>> y = pad(x, mask=np.array([[True, False]]))
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(y)).tolist()
    [[False, True, False]]
    """

    packing_need = "it moves the starts of sequences"

    def __init__(
        self,
        padding: int | tuple[int, int] = 1,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(padding, **kwargs)
        self.data_format = check_data_format(self.caller, data_format)

    def output_mask(self, mask: Tensor) -> Tensor:
        return ops.pad(mask, ((0, 0), tuple(self.padding)))


@export
class MaskedUpSampling1D(Resized, keras.layers.UpSampling1D):
    """Repeats each step of a sequence, and of its mask.

    Args:
        size: How often each step is repeated. Defaults to 2.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`.
        Emits: `(batch, size * steps)`: each step of the mask, `size` times.
        Empty row: stays empty.
        Padding values: stay in their step.

    Keras layer:
        Drops in for: `keras.layers.UpSampling1D`: the same arguments and
            outputs.
        Differs: the mask is repeated too; Keras loses it.

    Returns:
        Tensor of shape `(batch, size * steps, features)`.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `size` is not positive.

    Example:

    >>> x = np.array([[[1.0], [9.0]]])
    >>> repeat = keras_masking.layers.MaskedUpSampling1D(2)
    >>> y = repeat(x, mask=np.array([[True, False]]))
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(y)).tolist()
    [[True, True, False, False]]
    """

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(size, **kwargs)
        check_integer(self.caller, "size", size, 1)

    @property
    def packing_need(self) -> PackingNeed:  # type: ignore[override]
        """What it needs between two sequences of a packed row."""
        return PackingNeed(repeats=self.size)

    def output_mask(self, mask: Tensor) -> Tensor:
        return ops.repeat(mask, self.size, axis=1)
