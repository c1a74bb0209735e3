"""Layers that split, reverse, pack or join sequences along their steps."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.layers.base import KeepsDtype
from keras_masking.layers.base import Merger
from keras_masking.layers.base import copy_if_same
from keras_masking.layers.packed import TakesPacked
from keras_masking.ops import split_steps
from keras_masking.ops.order import check_joinable
from keras_masking.ops.order import compact_mask
from keras_masking.ops.order import join_masks
from keras_masking.ops.order import reverse_runs
from keras_masking.ops.order import unchecked_compact_steps
from keras_masking.ops.order import unchecked_pack_steps
from keras_masking.ops.order import unchecked_reverse_steps
from keras_masking.ops.steps import SplitSteps
from keras_masking.ops.steps import check_pieces


@export
class TemporalSplit(KeepsDtype):
    """Splits a sequence and its mask along the steps.

    A general version of the layer in the Keras guide on masking: the guide's
    version makes two halves and needs an even number of steps.

    As in the guide, it splits columns of the padded array. With a number of
    pieces, more padding moves a row's steps to other pieces. With indices from
    the start only padding on the left does, with indices from the end only
    padding on the right.

    Args:
        indices_or_sections: Number of pieces, of which the first ones have one
            more step if the steps do not divide evenly (like
            `numpy.array_split`); or a list of increasing steps at which to
            split, negative ones counted from the end. Defaults to 2.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`.
        Emits: a mask for each piece, with the same columns.
        Empty row: stays empty in every piece.
        Padding values: stay in their step.

    Returns:
        List of tensors, `(batch, steps of the piece, ...)`.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If the number of pieces is not positive or the indices are
            not increasing integers.

    Example:

    >>> x = np.arange(5.0).reshape(1, 5, 1)
    >>> first, second = keras_masking.layers.TemporalSplit(2)(x)
    >>> keras.ops.convert_to_numpy(first).ravel().tolist()
    [0.0, 1.0, 2.0]
    >>> keras.ops.convert_to_numpy(second).ravel().tolist()
    [3.0, 4.0]
    """

    packing_need = "it splits rows by columns"

    def __init__(
        self, indices_or_sections: int | Sequence[int] = 2, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.indices_or_sections = check_pieces(
            self.caller, indices_or_sections
        )
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> list[Tensor]:
        pieces = split_steps(inputs, self._pieces)
        return [copy_if_same(piece, inputs) for piece in pieces]

    def output_mask(self, mask: Tensor) -> list[Tensor]:
        return split_steps(mask, self._pieces)

    @property
    def _pieces(self) -> int | list[int]:
        value = self.indices_or_sections  # Keras wraps the lists that it tracks
        return value if isinstance(value, int) else [int(cut) for cut in value]

    def compute_output_shape(self, input_shape: Shape) -> list[Shape]:
        return SplitSteps(self._pieces).compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "indices_or_sections": self._pieces}


class Reordered(KeepsDtype):
    """A layer whose output has the same steps in another order."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@export
class TemporalReverse(TakesPacked, Reordered):
    """Reverses the real steps of each row, and leaves the padding in place.

    Use it for a backward RNN: the last real step moves to the place of the
    first one, whichever side the padding is on.

    Args:
        packed: Whether rows are packed: each sequence of a row, parted by
            padding, is reversed alone. Defaults to False.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask all steps are reversed. With
            `packed` each run of real steps is a sequence.
        Emits: the mask it reads.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Returns:
        Tensor of the shape of `inputs`.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.

    Example:

    >>> x = np.array([[[1.0], [2.0], [3.0], [9.0]]])
    >>> reverse = keras_masking.layers.TemporalReverse()
    >>> y = reverse(x, mask=np.array([[True, True, True, False]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [3.0, 2.0, 1.0, 0.0]
    """

    def __init__(self, packed: bool = False, **kwargs: Any) -> None:
        super().__init__(packed=packed, **kwargs)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        mask = self.read_mask(inputs, mask)
        if self.packed and mask is not None:
            return copy_if_same(reverse_runs(inputs, mask), inputs)
        return copy_if_same(unchecked_reverse_steps(inputs, mask), inputs)


@export
class CompactSteps(Reordered):
    """Moves the real steps of each row to its front, and the mask with them.

    Holes and padding on the left become padding on the right, which is the
    only kind that the cuDNN kernels of TensorFlow's RNNs take.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any.

    Mask behavior:
        Reads: `(batch, steps)`. Without a mask nothing moves.
        Emits: `(batch, steps)`: the same number of real steps, at the front.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Returns:
        Tensor of the shape of `inputs`.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.

    Example:

    >>> x = np.array([[[9.0], [1.0], [9.0], [2.0]]])
    >>> compact = keras_masking.layers.CompactSteps()
    >>> y = compact(x, mask=np.array([[False, True, False, True]]))
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [1.0, 2.0, 0.0, 0.0]
    """

    packing_need = "it joins the sequences of a row"

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        y, _ = unchecked_compact_steps(inputs, self.read_mask(inputs, mask))
        return copy_if_same(y, inputs)

    def output_mask(self, mask: Tensor) -> Tensor:
        return compact_mask(mask)


@export
class TemporalConcatenate(Merger):
    """Joins sequences along the steps so that real steps are contiguous.

    In each row: the real steps of the first input, those of the second, and so
    on, then padding. So a row gives the same output alone and padded, unlike
    with `keras.layers.Concatenate(axis=1)`, which leaves the padding of one
    input before the real steps of the next.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: List of tensors of shape `(batch, steps, ...)`; their number of
            steps may differ.
        mask: List with a boolean mask or None for each input, `(batch, steps)`,
            True at real steps. Defaults to the masks that the inputs carry, as
            does None in the list. An input without a mask is all real.

    Mask behavior:
        Reads: `(batch, steps)` for each input.
        Emits: `(batch, sum of steps)`: all real steps, at the front of the row.
            None if no input has a mask.
        Empty row: zeros.
        Padding values: affect neither the output nor the gradient, even if NaN.
            The output is 0 at padding steps.

    Returns:
        Tensor of shape `(batch, sum of steps, ...)`.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`.
        ValueError: If `inputs` is not a list of tensors that differ only in
            their number of steps.

    Example:

    >>> x, y = np.array([[[1.0], [9.0]]]), np.array([[[2.0], [3.0]]])
    >>> z = keras_masking.layers.TemporalConcatenate()(
    ...     [x, y], mask=[np.array([[True, False]]), None]
    ... )
    >>> keras.ops.convert_to_numpy(z).ravel().tolist()
    [1.0, 2.0, 3.0, 0.0]
    """

    packing_need = "it joins the sequences of a row"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: list[Tensor], mask: Any = None) -> Tensor:
        check_joinable(self.caller, [x.shape for x in inputs])
        masks = self.read_masks(inputs, mask)
        y, _ = unchecked_pack_steps(list(zip(inputs, masks)))
        return copy_if_same(y, inputs[0])

    def merge_masks(
        self, inputs: list[Tensor], masks: list[Tensor | None]
    ) -> Tensor:
        return compact_mask(join_masks(list(zip(inputs, masks))))

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        check_joinable(self.caller, input_shape)
        batch, _, *rest = input_shape[0]
        known = [shape[1] for shape in input_shape if shape[1] is not None]
        unknown = len(known) < len(input_shape)
        return (batch, None if unknown else sum(known), *rest)
