"""Layers that join several sequences."""

from typing import Any

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.base import Merger
from keras_masking.layers.base import fresh
from keras_masking.ops.order import check_joinable
from keras_masking.ops.order import compact_mask
from keras_masking.ops.order import join_masks
from keras_masking.ops.order import unchecked_pack_steps


@export
class TemporalConcatenate(Merger):
    """Joins sequences along the steps so that their real steps follow on.

    Row by row: the real steps of the first input, then those of the second,
    and so on, then padding. So a row gives the same alone and padded, which
    `keras.layers.Concatenate(axis=1)` does not: it leaves the padding of one
    input between its real steps and those of the next.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: List of tensors of shape `(batch, steps, ...)`, whose steps may
            differ.
        mask: List with a mask for each of them, boolean, `(batch, steps)`,
            True at real steps, or None. Defaults to the masks that the inputs
            carry; None in the list stands for that one. An input without any
            is all real.

    Mask behavior:
        Reads: `(batch, steps)` for each input.
        Emits: `(batch, sum of steps)`: as many real steps as all inputs have
            together, at the front of the row. None if no input has a mask.
        Empty row: zeros.
        Padding values: reach neither the output nor the gradient, NaN
            included. The output is 0 at padding steps.

    Returns:
        Tensor of shape `(batch, sum of steps, ...)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`.
        ValueError: If `inputs` is not a list of tensors that differ in nothing
            but their steps.

    Example:

    >>> x, y = np.array([[[1.0], [9.0]]]), np.array([[[2.0], [3.0]]])
    >>> z = keras_masking.layers.TemporalConcatenate()(
    ...     [x, y], mask=[np.array([[True, False]]), None]
    ... )
    >>> keras.ops.convert_to_numpy(z).ravel().tolist()
    [1.0, 2.0, 3.0, 0.0]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: list[Tensor], mask: Any = None) -> Tensor:
        check_joinable(self.who, [x.shape for x in inputs])
        masks = self.read_masks(inputs, mask)
        y, _ = unchecked_pack_steps(list(zip(inputs, masks)))
        return fresh(y, inputs[0])

    def merge_masks(
        self, inputs: list[Tensor], masks: list[Tensor | None]
    ) -> Tensor:
        return compact_mask(join_masks(list(zip(inputs, masks))))

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        check_joinable(self.who, input_shape)
        batch, _, *rest = input_shape[0]
        known = [shape[1] for shape in input_shape if shape[1] is not None]
        unknown = len(known) < len(input_shape)
        return (batch, None if unknown else sum(known), *rest)
