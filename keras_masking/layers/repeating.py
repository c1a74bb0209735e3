"""A vector for each step of a sequence."""

from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.ops.known import differ
from keras_masking.ops.masks import fill_padding


@export
class RepeatVectorLike(MaskAware):
    """Repeats a vector for each step of another tensor, with that one's mask.

    For the decoder of an autoencoder: `keras.layers.RepeatVector(steps)` loses
    the mask of the encoded sequence, so the loss counts padding. This layer
    takes the number of steps and the mask from that sequence; its values are
    not used.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: List of a vector for each row, `(batch, ...)`, and a tensor of
            shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps, or a
            list of None and such a tensor. Defaults to the mask that the second
            tensor carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`, of the second tensor. A mask of the first is
            ignored.
        Emits: the mask it reads.
        Empty row: 0.
        Padding values: are not read. The output is 0 at padding steps, which
            add nothing to the gradient of the vector.

    Returns:
        Tensor of shape `(batch, steps, ...)`, with the axes of the vector
        after the steps.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `inputs` is not a vector and a sequence with equally many
            rows.

    Example:

    >>> ids = np.array([[3, 1, 0]])
    >>> x = keras.layers.Embedding(5, 2, mask_zero=True)(ids)
    >>> y = keras_masking.layers.RepeatVectorLike()([np.array([[7.0]]), x])
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [7.0, 7.0, 0.0]
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(y)).tolist()
    [[True, True, False]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: list[Tensor], mask: Any = None) -> Tensor:
        _, mask = self.read_masks(inputs, mask)
        vector, sequence = inputs
        rows, *features = ops.shape(vector)
        repeated = ops.broadcast_to(
            ops.expand_dims(vector, 1),
            (rows, ops.shape(sequence)[1], *features),
        )
        return fill_padding(repeated, mask)

    def read_masks(self, inputs: Any, mask: Any) -> list[Tensor | None]:
        _, sequence = self._check_inputs(inputs)
        if isinstance(mask, (list, tuple)) and len(mask) == 2:
            first = mask[0]
            if first is None or hasattr(first, "shape"):
                mask = mask[1]  # Keras passes one for each input
        return [None, self.read_mask(sequence, mask)]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Tensor | None:
        return None if mask is None else self.read_masks(inputs, mask)[1]

    def _check_inputs(self, inputs: Any) -> tuple[Tensor, Tensor]:
        shapes = [
            tuple(getattr(x, "shape", ())) for x in keras.tree.flatten(inputs)
        ]
        if isinstance(inputs, (list, tuple)) and len(shapes) == 2:
            vector, sequence = shapes
            axes = vector and len(sequence) > 1
            if axes and not differ(vector[0], sequence[0]):
                return inputs[0], inputs[1]
        raise ValueError(
            describe(
                self.caller,
                "`inputs` must be a list of a vector (batch, ...) and a "
                "sequence (batch, steps, ...).",
                "Call it as `RepeatVectorLike()([vector, sequence])`.",
                shapes=shapes,
            )
        )

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        (rows, *features), sequence = input_shape
        return (rows, sequence[1], *features)

    def compute_output_spec(
        self, inputs: list[keras.KerasTensor], mask: Any = None
    ) -> keras.KerasTensor:
        vector, sequence = inputs
        shape = self.compute_output_shape([vector.shape, sequence.shape])
        return keras.KerasTensor(shape, dtype=vector.dtype)
