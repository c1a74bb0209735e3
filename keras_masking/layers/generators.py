"""Layers that make a mask, or show it."""

from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.base import copied
from keras_masking.layers.checks import check_inputs
from keras_masking.layers.pointwise import Pointwise
from keras_masking.layers.pointwise import PointwiseOfAnyDtype
from keras_masking.ops.dtypes import narrowed
from keras_masking.ops.dtypes import saturated
from keras_masking.ops.known import check_lengths
from keras_masking.ops.known import differ
from keras_masking.ops.masks import unchecked_all_real
from keras_masking.ops.masks import unchecked_step_index


@export
class AttachMask(PointwiseOfAnyDtype):
    """Makes a tensor carry the mask that is handed over.

    How a mask that is an input of a model gets in:
    `x = AttachMask()(x, mask=mask)`. Values and dtype stay as they are.

    Args:
        **kwargs: Base layer keyword arguments, such as `name`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, or of more first axes
            of `inputs`, without the last one of floats, True at real steps. It
            replaces a mask that `inputs` carries, which is the default.
            Numbers must be 1 and 0; of a mask whose values are not known
            (symbolic, or traced), everything but 0 counts as real. Make a
            boolean of an additive mask, `keras.ops.equal(mask, 0)`.

    Mask behavior:
        Reads: `(batch, steps)`, or one of more axes.
        Emits: the mask it reads.
        Empty row: stays as it is.
        Padding values: stay in their step.

    Returns:
        A copy of `inputs` that carries the mask.

    Raises:
        MaskShapeError: If `mask` has other axes.
        MaskDtypeError: If `mask` is neither boolean nor a number.
        MaskValueError: If it is known and holds other numbers than 0 and 1.

    Example:

    >>> x = np.array([[[1.0], [3.0], [9.0]]])
    >>> attach = keras_masking.layers.AttachMask()
    >>> x = attach(x, mask=np.array([[True, True, False]]))
    >>> y = keras.layers.GlobalAveragePooling1D()(x)
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[2.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        return copied(inputs)

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
        return unchecked_all_real(inputs) if mask is None else copied(mask)

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


@export
class LengthMask(MaskAware):
    """Makes a tensor carry the mask that its rows' lengths say.

    Values and dtype stay as they are. The padding follows the real steps; for
    padding in front use `keras_masking.ops.lengths_to_mask` and `AttachMask`.

    Args:
        **kwargs: Base layer keyword arguments, such as `name`.

    Call arguments:
        inputs: List of a tensor of shape `(batch, steps, ...)` and its
            lengths, whole numbers from 0 to `steps`, of shape `(batch,)` or
            `(batch, 1)`. Where they are not known (symbolic, or traced), one
            below 0 counts as 0, one above `steps` as `steps`, and a fraction
            is cut off.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that the first tensor carries, if any. A step
            is real where mask and length both say so.

    Mask behavior:
        Reads: `(batch, steps)`, and the lengths.
        Emits: `(batch, steps)`: True at steps below the length.
        Empty row: one of length 0; stays as it is.
        Padding values: stay in their step.

    Returns:
        A copy of the first tensor that carries the mask.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `inputs` is not a tensor and one length for each row, or
            a length is known and not from 0 to `steps`. (The check makes an
            eager call on a GPU wait for the lengths.)

    Example:

    >>> x = np.array([[[1.0], [3.0], [9.0]]])
    >>> x = keras_masking.layers.LengthMask()([x, np.array([2])])
    >>> y = keras.layers.GlobalAveragePooling1D()(x)
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[2.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)

    def __call__(
        self, inputs: Any, mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        check_inputs(self.who, inputs)
        x, lengths = self._check_inputs(inputs)
        check_lengths(self.who, lengths, x.shape[1])
        inputs = [x, narrowed(lengths)]
        return super().__call__(inputs, mask, *args, **kwargs)

    def call(self, inputs: list[Tensor], mask: Any = None) -> Tensor:
        return copied(inputs[0])

    def read_masks(self, inputs: Any, mask: Any) -> list[Tensor | None]:
        x, _ = self._check_inputs(inputs)
        if isinstance(mask, (list, tuple)) and mask[-1] is None:
            mask = mask[0]  # Keras hands over one for each input
        return [self.read_mask(x, mask), None]

    def compute_mask(self, inputs: list[Tensor], mask: Any = None) -> Tensor:
        x, lengths = self._check_inputs(inputs)
        lengths = ops.reshape(saturated(lengths), (-1, 1))
        own = unchecked_step_index(unchecked_all_real(x)) < lengths
        given = None if mask is None else self.read_masks(inputs, mask)[0]
        return own if given is None else ops.logical_and(own, given)

    def _check_inputs(self, inputs: Any) -> tuple[Tensor, Tensor]:
        shapes = [
            tuple(getattr(x, "shape", ())) for x in keras.tree.flatten(inputs)
        ]
        if isinstance(inputs, (list, tuple)) and len(shapes) == 2:
            x, lengths = shapes
            column = len(lengths) == 2 and lengths[1] is not None
            column = column and not differ(lengths[1], 1)
            vector = column or len(lengths) == 1
            if vector and len(x) >= 2 and not differ(x[0], lengths[0]):
                return inputs[0], inputs[1]
        raise ValueError(
            describe(
                self.who,
                "`inputs` must be a list of a tensor (batch, steps, ...) and "
                "its lengths (batch,).",
                "Call it as `LengthMask()([x, lengths])`, one length for each "
                "row of x.",
                shapes=shapes,
            )
        )

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return tuple(input_shape[0])

    def compute_output_spec(
        self, inputs: list[keras.KerasTensor], mask: Any = None
    ) -> keras.KerasTensor:
        x, _ = self._check_inputs(inputs)
        return keras.KerasTensor(x.shape, dtype=x.dtype)
