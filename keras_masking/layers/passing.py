"""Layers that act on each step alone and hand the mask on."""

from collections.abc import Callable
from typing import Any

import keras

from keras_masking._export import export
from keras_masking._keras import in_symbolic_call
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import MaskError
from keras_masking.errors import describe
from keras_masking.layers.base import copied
from keras_masking.layers.base import fresh
from keras_masking.layers.checks import check_number
from keras_masking.layers.pointwise import Pointwise
from keras_masking.layers.pointwise import PointwiseOfAnyDtype
from keras_masking.ops.masks import fill_padding


@export
class MyActivation(Pointwise):
    """Applies an activation to each step and passes the mask on.

    The layer of the Keras guide on masking, and the smallest reference of how
    a mask-aware layer is written. The guide's version does the same for
    `relu`; it cannot be saved, since its class is not registered.

    Args:
        activation: Name of a Keras activation, or a function of a tensor.
            Defaults to `"relu"`. One that works on several features, such as
            `"softmax"`, does so within each step.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, or of more first axes
            of `inputs`, without the last one of floats, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: not needed: each step is computed alone.
        Emits: the mask it reads.
        Empty row: the activation of what stands there.
        Padding values: stay in their step. Their gradient is the activation's
            own, so a NaN there has a NaN gradient.

    Keras layer:
        Drops in for: `keras.layers.Activation`: the same numbers.
        Differs: `"linear"` returns a tensor of its own, not the caller's.

    Returns:
        Tensor of the shape of `inputs` and of the compute dtype.

    Raises:
        MaskShapeError: If `mask` has other axes.
        ValueError: If `activation` is not an activation.

    Example:

    >>> x = np.array([[[-1.0], [2.0]]])
    >>> y = keras_masking.layers.MyActivation("relu")(x)
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[[0.0], [2.0]]]
    """

    def __init__(
        self,
        activation: str | Callable[[Tensor], Tensor] = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        try:
            self.activation = keras.activations.get(activation)
        except (ValueError, TypeError):
            raise ValueError(
                describe(
                    self.who,
                    "`activation` must be a Keras activation or a function.",
                    "Its names are those of `keras.activations`, 'relu' say.",
                    activation=repr(activation),
                )
            ) from None

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        # Some activations return the object they were given.
        return fresh(self.activation(inputs), inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "activation": activation}


@export
class ApplyMask(PointwiseOfAnyDtype):
    """Writes a value at padding steps, and passes the mask on.

    What comes behind and does not look at the mask meets that value, and no
    NaN. It selects and never multiplies.

    Args:
        fill: The value at padding steps. Defaults to 0.
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
        Empty row: `fill`.
        Padding values: reach neither the output nor the gradient, NaN
            included.

    Returns:
        Tensor of the shape of `inputs`.

    Raises:
        MaskShapeError: If `mask` has other axes.
        ValueError: If `fill` is not a number.

    Example:

    >>> x = np.array([[[1.0], [np.nan]]])
    >>> mask = np.array([[True, False]])
    >>> y = keras_masking.layers.ApplyMask(-1.0)(x, mask=mask)
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [1.0, -1.0]
    """

    def __init__(self, fill: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fill = check_number(self.who, "fill", fill)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        return fresh(fill_padding(inputs, mask, self.fill), inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fill": self.fill}


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
        return copied(inputs)

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
                    self.who,
                    "the inputs must carry a mask.",
                    "The layers before it make none, or one of them loses it: "
                    "an operation such as `x * 2` does. `KeepMask` keeps it, "
                    "`AttachMask` puts it on.",
                    mask=None,
                    **{"inputs.shape": tuple(inputs.shape)},
                )
            )
        return copied(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape
