"""Activations of each step, and the softmax over steps."""

from collections.abc import Callable
from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.base import copy_if_same
from keras_masking.layers.pointwise import Pointwise
from keras_masking.ops.softmax import unchecked_softmax


@export
class TemporalSoftmax(MaskAware):
    """Softmax over the real steps of a sequence.

    The layer of the Keras guide on masking, done right: the guide's version
    exponentiates without taking out the largest logit, divides by sums over
    the last axis in place of the steps, and gives NaN in an empty row.
    `keras.layers.Softmax(axis=1)` takes the `(batch, steps)` mask for one of
    single elements, and raises.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of logits, `(batch, steps, ...)`; each feature is
            normalized on its own.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step counts.
        Emits: the mask it reads.
        Empty row: zeros.
        Padding values: reach neither the output nor the gradient, NaN
            included. The output is 0 at padding steps.

    Returns:
        Tensor of the shape of `inputs` and of the compute dtype. Over the
        steps of a row it sums to 1.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.

    Example:

    >>> x = np.array([[[5.0], [5.0], [9.0]]])
    >>> softmax = keras_masking.layers.TemporalSoftmax()
    >>> y = softmax(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[[0.5], [0.5], [0.0]]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return unchecked_softmax(inputs, self.read_mask(inputs, mask), axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


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
                    self.caller,
                    "`activation` must be a Keras activation or a function.",
                    "Its names are those of `keras.activations`, 'relu' say.",
                    activation=repr(activation),
                )
            ) from None

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        # Some activations return the object they were given.
        return copy_if_same(self.activation(inputs), inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "activation": activation}
