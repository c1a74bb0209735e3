"""Layers that read, apply, drop or require the mask and change no shape."""

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

    What comes behind and does not look at the mask meets that value, and no
    NaN. It selects and never multiplies.

    Args:
        fill_value: The value at padding steps. Defaults to 0.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, or of more first axes
            of `inputs`, without the last one of floats, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`, or one of more axes. Without a mask nothing
            changes.
        Emits: the mask it reads.
        Empty row: `fill_value`.
        Padding values: reach neither the output nor the gradient, NaN
            included.

    Returns:
        Tensor of the shape of `inputs`.

    Raises:
        MaskShapeError: If `mask` has other axes.
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
    """Hands a tensor on without its mask: what follows takes all as real.

    In front of a layer that takes the mask for something else, or whose
    warning about a lost mask is known. Values stay as they are; write zeros at
    padding steps with `ApplyMask` first.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, or of more first axes
            of `inputs`, without the last one of floats, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: not needed.
        Emits: none.
        Empty row: stays as it is.
        Padding values: stay in their step.

    Returns:
        A copy of `inputs` that carries no mask.

    Raises:
        MaskShapeError: If `mask` has other axes.

    Example:

    >>> x = keras.layers.Masking()(np.array([[[1.0], [0.0]]]))
    >>> y = keras_masking.layers.DropMask()(x)
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(y)).tolist()
    [[True, True]]
    """

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
    """Hands a tensor and its mask on, and raises when there is none.

    An assertion in a model: here a mask must arrive. It is checked when the
    model runs, compiled or not, and not when it is built: a symbolic tensor
    may lack a mask that the tensor at run time has, behind a nested model say.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, or of more first axes
            of `inputs`, without the last one of floats, True at real steps.
            Defaults to the mask that `inputs` carries.

    Mask behavior:
        Reads: `(batch, steps)`, or one of more axes. Without a mask it raises.
        Emits: the mask it reads.
        Empty row: stays as it is.
        Padding values: stay in their step.

    Returns:
        A copy of `inputs`.

    Raises:
        MaskError: If there is no mask.
        MaskShapeError: If `mask` has other axes.

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
                    "The layers before it make none, or one of them loses it: "
                    "an operation such as `x * 2` does. `KeepMask` keeps it, "
                    "`AttachMask` puts it on.",
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

    `Model.predict` returns no masks: make this layer's output one more output
    of the model to see them.

    Args:
        **kwargs: Base layer keyword arguments, such as `name`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, or of more first axes
            of `inputs`, without the last one of floats, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`, or one of more axes. Without a mask every step
            is real.
        Emits: none: the mask is the output.
        Empty row: all False.
        Padding values: are not looked at.

    Returns:
        Boolean tensor of the shape of the mask, True at real steps; of
        `(batch, steps)` without one.

    Raises:
        MaskShapeError: If `mask` has other axes.

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
        # Not by `inputs` alone: their mask may have more axes.
        mask = self.read_mask(inputs, mask)
        shape = inputs.shape[:2] if mask is None else mask.shape
        return keras.KerasTensor(shape, dtype="bool")
