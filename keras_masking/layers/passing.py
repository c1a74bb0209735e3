"""Layers that read, apply, drop or require a mask and change no shape."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking._keras import in_symbolic_call
from keras_masking._moved import renamed
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import MaskError
from keras_masking.errors import describe
from keras_masking.layers.base import copy_if_same
from keras_masking.layers.base import copy_without_mask
from keras_masking.layers.checks import check_number
from keras_masking.layers.pointwise import Pointwise
from keras_masking.layers.pointwise import PointwiseOfAnyDtype
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import unchecked_full_mask


@export
class ApplyMask(PointwiseOfAnyDtype):
    """Writes a value at padding steps, and passes the mask on.

    Later layers that ignore the mask see this value, and no NaN. Values are
    selected, not multiplied.

    Args:
        fill_value: The value at padding steps. Defaults to 0.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor, True at real steps: `(batch, steps)`, or more of
            the first axes of `inputs` (not the last axis of floats). Defaults
            to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`, or a mask with more axes. Without a mask
            nothing changes.
        Emits: the mask it reads.
        Empty row: `fill_value`.
        Padding values: affect neither the output nor the gradient, even if NaN.

    Returns:
        Tensor of the shape of `inputs`.

    Raises:
        MaskShapeError: If the shape of `mask` does not fit `inputs`.
        ValueError: If `fill_value` is not a number.

    Example:

    >>> x = np.array([[[1.0], [np.nan]]])
    >>> mask = np.array([[True, False]])
    >>> y = keras_masking.layers.ApplyMask(-1.0)(x, mask=mask)
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [1.0, -1.0]
    """

    def __init__(self, fill_value: float = 0.0, **kwargs: Any) -> None:
        old = kwargs.pop("fill", None)
        super().__init__(**kwargs)
        value = renamed(self.caller, "fill", "fill_value", old, fill_value)
        self.fill_value = check_number(self.caller, "fill_value", value)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        return copy_if_same(fill_padding(inputs, mask, self.fill_value), inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fill_value": self.fill_value}


@export
class DropMask(PointwiseOfAnyDtype):
    """Removes the mask of a tensor: later layers treat every step as real.

    Use it before a layer that misreads the mask, or to avoid an expected
    warning about a lost mask. Values do not change; to write zeros at padding
    steps, use `ApplyMask` first.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor, True at real steps: `(batch, steps)`, or more of
            the first axes of `inputs` (not the last axis of floats). Defaults
            to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: not needed.
        Emits: none.
        Empty row: unchanged.
        Padding values: stay in their step.

    Returns:
        A copy of `inputs` that carries no mask.

    Raises:
        MaskShapeError: If the shape of `mask` does not fit `inputs`.

    Example:

    >>> x = keras.layers.Masking()(np.array([[[1.0], [0.0]]]))
    >>> y = keras_masking.layers.DropMask()(x)
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(y)).tolist()
    [[True, True]]
    """

    packing_need = "it drops the mask, which parts sequences"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return copy_without_mask(inputs)

    def output_mask(self, mask: Tensor) -> None:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@export
class RequireMask(PointwiseOfAnyDtype):
    """Passes on a tensor and its mask, and raises if there is no mask.

    An assertion that a mask arrives at this place in a model. It is checked
    when the model runs, compiled or not, and not when it is built: a symbolic
    tensor may lack the mask that the tensor has at run time, for example after
    a nested model.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor, True at real steps: `(batch, steps)`, or more of
            the first axes of `inputs` (not the last axis of floats). Defaults
            to the mask that `inputs` carries.

    Mask behavior:
        Reads: `(batch, steps)`, or a mask with more axes. Without a mask it
            raises.
        Emits: the mask it reads.
        Empty row: unchanged.
        Padding values: stay in their step.

    Returns:
        A copy of `inputs`.

    Raises:
        MaskError: If there is no mask.
        MaskShapeError: If the shape of `mask` does not fit `inputs`.

    Example:

    >>> x = keras.layers.Masking()(np.array([[[1.0], [0.0]]]))
    >>> y = keras_masking.layers.RequireMask()(x)
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(y)).tolist()
    [[True, False]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.read_mask(inputs, mask) is None and not in_symbolic_call():
            raise MaskError(
                describe(
                    self.caller,
                    "the inputs must carry a mask.",
                    "No layer before it makes a mask, or something loses it, "
                    "for example an operation such as `x * 2`. Use `KeepMask` "
                    "or `AttachMask`.",
                    mask=None,
                    **{"inputs.shape": tuple(inputs.shape)},
                )
            )
        return copy_without_mask(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@export
class GetMask(Pointwise):
    """Returns the mask that a tensor carries, as a tensor.

    `Model.predict` returns no masks: to see them, add this layer's output to
    the outputs of the model.

    Args:
        **kwargs: Base layer keyword arguments, such as `name`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor, True at real steps: `(batch, steps)`, or more of
            the first axes of `inputs` (not the last axis of floats). Defaults
            to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`, or a mask with more axes. Without a mask every
            step is real.
        Emits: none: the mask is the output.
        Empty row: all False.
        Padding values: are not read.

    Returns:
        Boolean tensor of the shape of the mask, True at real steps; `(batch,
        steps)` if there is no mask.

    Raises:
        MaskShapeError: If the shape of `mask` does not fit `inputs`.

    Example:

    >>> ids = np.array([[3, 1, 0]])
    >>> x = keras.layers.Embedding(5, 2, mask_zero=True)(ids)
    >>> mask = keras_masking.layers.GetMask()(x)
    >>> keras.ops.convert_to_numpy(mask).tolist()
    [[True, True, False]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        return (
            unchecked_full_mask(inputs)
            if mask is None
            else copy_without_mask(mask)
        )

    def output_mask(self, mask: Tensor) -> None:
        return None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape[:2]

    def compute_output_spec(
        self, inputs: keras.KerasTensor, mask: Tensor | None = None
    ) -> keras.KerasTensor:
        # The shape of `inputs` is not enough: the mask may have more axes.
        mask = self.read_mask(inputs, mask)
        shape = inputs.shape[:2] if mask is None else mask.shape
        return keras.KerasTensor(shape, dtype="bool")
