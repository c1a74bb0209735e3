"""Mean and standard deviation of a sequence, concatenated."""

import keras

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.sequence_pooling import OwnPooling
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.reductions import unchecked_mean
from keras_masking.ops.segments import segment_mean_and_std
from keras_masking.ops.statistics import unchecked_mean_and_std


def side_by_side(
    x: Tensor,
    mask: Tensor | None,
    keepdims: bool = False,
    empty_value: float = 0.0,
) -> Tensor:
    """Mean and deviation, concatenated along the features."""
    both = unchecked_mean_and_std(x, mask, 1, keepdims, empty_value)
    return keras.ops.concatenate(both, axis=-1)


@export
class StatisticsPooling1D(OwnPooling):
    """Takes mean and standard deviation over the real steps of a sequence.

    The pooling of x-vectors (Snyder et al. 2018), which turns speech of any
    length into one vector. The variance is divided by the number of real steps.
    The gradient of a deviation of 0 (a single step, or equal steps) is 0.

    Args:
        keepdims: Whether to keep the step axis with size 1. Defaults to
            `False`.
        empty_value: The value for an empty row. Defaults to 0.
        max_segments: How many sequences, parted by padding, a packed row has at
            most: each is pooled alone. Defaults to `None`: a row is one
            sequence.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, features)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask every step counts.
        Emits: none: there is no step axis. With `keepdims`, `(batch, 1)`: False
            for an empty row. With `max_segments`, `(batch, max_segments)`: True
            where a row has a sequence.
        Empty row: `empty_value`, 0 by default; so is a slot without a sequence.
        Padding values: affect neither the output nor the gradient, even if NaN.

    Returns:
        Tensor of shape `(batch, 2 * features)`, or `(batch, 1, 2 * features)`
        with `keepdims`, or `(batch, max_segments, 2 * features)`, of the
        compute dtype: the means, then the deviations.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If a known mask has more sequences in a row than
            `max_segments` (a compiled function cannot raise: there such a row
            gives NaN), or `keepdims` is not a boolean.

    Example:

    >>> x = np.array([[[1.0], [5.0], [9.0]]])
    >>> pool = keras_masking.layers.StatisticsPooling1D()
    >>> y = pool(x, mask=np.array([[True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[3.0, 2.0]]
    """

    reduction = staticmethod(side_by_side)
    segment_reduction = staticmethod(segment_mean_and_std)

    def compute_output_spec(
        self, inputs: keras.KerasTensor, mask: Tensor | None = None
    ) -> keras.KerasTensor:
        # Keras' symbolic concatenation turns float64 into float32.
        x = keras.KerasTensor(inputs.shape, dtype=dtype_name(inputs))
        dtype = unchecked_mean(x, None).dtype
        shape = self.compute_output_shape(x.shape)
        return keras.KerasTensor(shape, dtype=dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        *rest, features = super().compute_output_shape(input_shape)
        return (*rest, None if features is None else 2 * features)
