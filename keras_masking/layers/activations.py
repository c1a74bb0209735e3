"""Activations of single steps, and the softmax over steps."""

from collections.abc import Callable
from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import copy_if_same
from keras_masking.layers.packed import TakesPacked
from keras_masking.layers.pointwise import Pointwise
from keras_masking.ops.segments import segment_softmax
from keras_masking.ops.softmax import unchecked_softmax


@export
class TemporalSoftmax(TakesPacked):
    """Softmax over the real steps of a sequence.

    A correct version of the layer in the Keras guide on masking. The guide's
    version does not subtract the largest logit, divides by sums over the last
    axis instead of the steps, and gives NaN in an empty row.
    `keras.layers.Softmax(axis=1)` takes the `(batch, steps)` mask for a mask of
    elements, and raises.

    Args:
        packed: Whether rows are packed: each sequence of a row, parted by
            padding, is normalized alone. Defaults to False.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of logits, `(batch, steps, ...)`; each feature is
            normalized separately.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step counts. With
            `packed` each run of real steps is a sequence.
        Emits: the mask it reads.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Returns:
        Tensor of the shape of `inputs` and of the compute dtype, which sums to
        1 over the steps of a row, or of each sequence of a packed row.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.

    Example:

    >>> x = np.array([[[5.0], [5.0], [9.0]]])
    >>> softmax = keras_masking.layers.TemporalSoftmax()
    >>> y = softmax(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[[0.5], [0.5], [0.0]]]
    """

    def __init__(self, packed: bool = False, **kwargs: Any) -> None:
        super().__init__(packed=packed, **kwargs)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        if self.packed and mask is not None:
            return segment_softmax(inputs, mask)
        return unchecked_softmax(inputs, mask, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@export
class MyActivation(Pointwise):
    """Applies an activation to each step and passes the mask on.

    A layer of the Keras guide on masking, and the shortest example of a
    mask-aware layer. The guide's version does the same for `relu`, but cannot
    be loaded, since its class is not registered.

    Args:
        activation: Name of a Keras activation, or a function of a tensor.
            Defaults to `"relu"`. An activation over several features, such as
            `"softmax"`, works within each step.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor, True at real steps: `(batch, steps)`, or more of
            the first axes of `inputs` (not the last axis of floats). Defaults
            to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: not needed: each step is computed separately.
        Emits: the mask it reads.
        Empty row: the activation of its values.
        Padding values: affect no other step. They have the activation's
            gradient, so a NaN there has a NaN gradient.

    Keras layer:
        Drops in for: `keras.layers.Activation`: the same numbers.
        Differs: `"linear"` returns a copy, not the input tensor.

    Returns:
        Tensor of the shape of `inputs` and of the compute dtype.

    Raises:
        MaskShapeError: If the shape of `mask` does not fit `inputs`.
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
                    self.caller,
                    "`activation` must be a Keras activation or a function.",
                    "Pass a name in `keras.activations`, for example 'relu'.",
                    activation=repr(activation),
                )
            ) from None

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        # Some activations return their input object.
        return copy_if_same(self.activation(inputs), inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "activation": activation}
