"""Layers that make a mask: from a tensor, from lengths, from NaN."""

from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.base import copy_without_mask
from keras_masking.layers.checks import check_boolean
from keras_masking.layers.checks import check_inputs
from keras_masking.layers.checks import check_number
from keras_masking.layers.pointwise import PointwiseOfAnyDtype
from keras_masking.ops.dtypes import clip_to_int32
from keras_masking.ops.dtypes import numpy_to_int32
from keras_masking.ops.dtypes import scalar
from keras_masking.ops.known import check_lengths
from keras_masking.ops.known import differ
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.masks import unchecked_position_ids


@export
class AttachMask(PointwiseOfAnyDtype):
    """Attaches a mask to a tensor.

    Use it if the mask is an input of the model: `x = AttachMask()(x,
    mask=mask)`. Values and dtype do not change.

    Args:
        **kwargs: Base layer keyword arguments, such as `name`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor, True at real steps: `(batch, steps)`, or more of
            the first axes of `inputs` (not the last axis of floats). It
            replaces the mask that `inputs` carries, which is the default.
            Numbers must be 1 and 0; where the values are unknown (symbolic or
            traced), everything but 0 counts as real. Convert an additive mask
            with `keras.ops.equal(mask, 0)`.

    Mask behavior:
        Reads: `(batch, steps)`, or a mask with more axes.
        Emits: the mask it reads.
        Empty row: unchanged.
        Padding values: stay in their step.

    Returns:
        A copy of `inputs` that carries the mask.

    Raises:
        MaskShapeError: If the shape of `mask` does not fit `inputs`.
        MaskDtypeError: If `mask` is neither boolean nor real numbers.
        MaskValueError: If its values are known and not all 0 or 1.

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
        return copy_without_mask(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


@export
class LengthMask(MaskAware):
    """Attaches a mask made from the lengths of the rows.

    Values and dtype do not change. The padding follows the real steps; for
    padding on the left use `keras_masking.ops.lengths_to_mask` and
    `AttachMask`.

    Args:
        **kwargs: Base layer keyword arguments, such as `name`.

    Call arguments:
        inputs: List of a tensor of shape `(batch, steps, ...)` and its lengths,
            whole numbers from 0 to `steps`, of shape `(batch,)` or `(batch,
            1)`. Where the values are unknown (symbolic or traced), lengths are
            clipped to 0 and `steps`, and fractions truncated.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that the first tensor carries, if any. A step
            is real if it is real by the mask and by the length.

    Mask behavior:
        Reads: `(batch, steps)`, and the lengths.
        Emits: `(batch, steps)`: True at steps below the length.
        Empty row: a row of length 0; unchanged.
        Padding values: stay in their step.

    Returns:
        A copy of the first tensor that carries the mask.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `inputs` is not a tensor and one length for each row, or
            a known length is not between 0 and `steps`. (The check makes an
            eager call on a GPU wait for the lengths.)

    Example:

    >>> x = np.array([[[1.0], [3.0], [9.0]]])
    >>> x = keras_masking.layers.LengthMask()([x, np.array([2])])
    >>> y = keras.layers.GlobalAveragePooling1D()(x)
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[2.0]]
    """

    packing_need = "a length describes one sequence"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)

    def __call__(
        self, inputs: Any, mask: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        check_inputs(self.caller, inputs)
        x, lengths = self._check_inputs(inputs)
        check_lengths(self.caller, lengths, x.shape[1])
        inputs = [x, numpy_to_int32(lengths)]
        return super().__call__(inputs, mask, *args, **kwargs)

    def call(self, inputs: list[Tensor], mask: Any = None) -> Tensor:
        return copy_without_mask(inputs[0])

    def read_masks(self, inputs: Any, mask: Any) -> list[Tensor | None]:
        x, _ = self._check_inputs(inputs)
        if isinstance(mask, (list, tuple)) and mask[-1] is None:
            mask = mask[0]  # Keras passes one for each input
        return [self.read_mask(x, mask), None]

    def compute_mask(self, inputs: list[Tensor], mask: Any = None) -> Tensor:
        x, lengths = self._check_inputs(inputs)
        lengths = ops.reshape(clip_to_int32(lengths), (-1, 1))
        own = unchecked_position_ids(unchecked_full_mask(x)) < lengths
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
                self.caller,
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


@export
class NaNMask(MaskAware):
    """Masks missing values, which are NaN, and replaces them.

    For time series with gaps. `keras.layers.Masking(mask_value=nan)` masks
    nothing, since NaN is not equal to itself.

    Args:
        fill_value: The replacement for missing values. Defaults to 0.
        missing: When a step counts as missing: `"all"` if all its features are,
            `"any"` if at least one is. Defaults to `"all"`.
        return_indicator: Whether to return an indicator of the missing values
            too. Defaults to `False`.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, ...)`.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `inputs` carries, if any. A step is real
            where the mask is True and the step is not missing.

    Mask behavior:
        Reads: `(batch, steps)`, and which values are NaN.
        Emits: `(batch, steps)`: True where the step is not missing.
        Empty row: its values, with NaN replaced.
        Padding values: stay in their step; NaN is replaced there too.

    Returns:
        Tensor of the shape of `inputs`, of the compute dtype (integers, which
        are never missing, unchanged). With `return_indicator` also a tensor
        that is 1 where a value was missing, else 0, with the same mask.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `missing` is unknown, or `fill_value` is not a finite
            number.

    Example:

    >>> x = np.array([[[1.0], [np.nan], [3.0]]])
    >>> x = keras_masking.layers.NaNMask()(x)
    >>> keras.ops.convert_to_numpy(x).ravel().tolist()
    [1.0, 0.0, 3.0]
    >>> y = keras.layers.GlobalAveragePooling1D()(x)
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[2.0]]
    """

    packing_need = "a missing value would part a sequence"

    def __init__(
        self,
        fill_value: float = 0.0,
        missing: str = "all",
        return_indicator: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fill_value = check_number(
            self.caller, "fill_value", fill_value, finite=True
        )
        if missing not in ("all", "any"):
            raise ValueError(
                describe(
                    self.caller,
                    "`missing` must be 'all' or 'any'.",
                    "Pass 'any' if one missing feature makes a step unusable.",
                    missing=repr(missing),
                )
            )
        self.missing = missing
        self.return_indicator = check_boolean(
            self.caller, "return_indicator", return_indicator
        )
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Any:
        gone = ops.isnan(inputs)
        filled = ops.where(gone, scalar(self.fill_value, inputs), inputs)
        if not self.return_indicator:
            return filled
        return filled, ops.cast(gone, inputs.dtype)

    def make_mask(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        gone = ops.isnan(inputs)
        # The last first: Keras 3.12 reduces one after the other on PyTorch.
        if axes := tuple(range(len(inputs.shape) - 1, 1, -1)):
            gone = getattr(ops, self.missing)(gone, axis=axes)
        own = ops.logical_not(gone)
        return own if mask is None else ops.logical_and(own, mask)

    def output_mask(self, mask: Tensor) -> Any:
        return [mask, mask] if self.return_indicator else mask

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return (input_shape,) * 2 if self.return_indicator else input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fill_value": self.fill_value,
            "missing": self.missing,
            "return_indicator": self.return_indicator,
        }
