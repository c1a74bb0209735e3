"""Softmax along the steps of a sequence."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.base import MaskAware
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
