"""Layers that merge sequences step by step."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking._packing import STEPWISE
from keras_masking._packing import PackingNeed
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import Merger
from keras_masking.layers.base import carrying
from keras_masking.layers.base import copy_if_same
from keras_masking.ops.masks import combine_masks
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import unchecked_full_mask
from keras_masking.ops.order import join_masks


class Merging(Merger):
    """Mixin that makes a Keras merging layer respect masks.

    Padding in its inputs is replaced by its neutral element. A linear layer,
    whose derivatives do not depend on its inputs, replaces it only once, in the
    output, if all inputs share a mask.
    """

    packing_need: PackingNeed | str = STEPWISE
    neutral = 0.0
    linear = False

    def call(self, inputs: list[Tensor], mask: Any = None) -> Tensor:
        masks = self.read_masks(inputs, mask)
        before, after = masks, None
        if self.linear and all(m is masks[0] for m in masks):
            before, after = [None] * len(masks), masks[0]
        pairs = zip(inputs, before)
        real = [fill_padding(x, m, self.neutral) for x, m in pairs]
        outputs = fill_padding(super().call(real), after, self.neutral)
        outputs = copy_if_same(outputs, inputs[0])
        if all(m is None for m in masks):
            return outputs
        return carrying(outputs, self.merge_masks(inputs, masks))

    def merge_masks(
        self, inputs: list[Tensor], masks: list[Tensor | None]
    ) -> Tensor:
        first = tuple(inputs[0].shape[:2])
        if any(tuple(x.shape[:2]) != first for x in inputs):
            # Masks broadcast as the inputs do.
            masks = [
                unchecked_full_mask(x) if m is None else m
                for x, m in zip(inputs, masks)
            ]
        return combine_masks(masks)

    def compute_output_shape(self, input_shape: list[Shape]) -> Shape:
        return tuple(super().compute_output_shape(input_shape))


@export
class MaskedAdd(Merging, keras.layers.Add):
    """Adds sequences step by step: a residual connection that keeps the mask.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: List of tensors of shape `(batch, steps, ...)`.
        mask: List with a boolean mask or None for each input, `(batch, steps)`,
            True at real steps. Defaults to the masks that the inputs carry, as
            does None in the list. An input without a mask is all real.

    Mask behavior:
        Reads: `(batch, steps)` for each input.
        Emits: `(batch, steps)`: True where every masked input is real. None if
            no input has a mask.
        Empty row: the sum of the inputs, with 0 at their padding.
        Padding values: count as 0, even if NaN.

    Keras layer:
        Drops in for: `keras.layers.Add`: without a mask, the same outputs.
        Differs: Keras silently drops the mask if one input has none, and treats
            a step as real if any input is, so padding of another input counts.

    Returns:
        Tensor of the shape that the inputs broadcast to.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`.
        ValueError: If `inputs` is not a list.

    Example:

    >>> x, y = np.array([[[1.0], [2.0]]]), np.array([[[10.0], [np.nan]]])
    >>> mask = np.array([[True, False]])
    >>> z = keras_masking.layers.MaskedAdd()([x, y], mask=[None, mask])
    >>> keras.ops.convert_to_numpy(z).ravel().tolist()
    [11.0, 2.0]
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(z)).tolist()
    [[True, False]]
    """

    linear = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


@export
class MaskedMultiply(Merging, keras.layers.Multiply):
    """Multiplies sequences step by step, and keeps their mask.

    Args:
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: List of tensors of shape `(batch, steps, ...)`.
        mask: List with a boolean mask or None for each input, `(batch, steps)`,
            True at real steps. Defaults to the masks that the inputs carry, as
            does None in the list. An input without a mask is all real.

    Mask behavior:
        Reads: `(batch, steps)` for each input.
        Emits: `(batch, steps)`: True where every masked input is real. None if
            no input has a mask.
        Empty row: the product of the inputs, with 1 at their padding.
        Padding values: count as 1, even if NaN.

    Keras layer:
        Drops in for: `keras.layers.Multiply`: without a mask, the same outputs.
        Differs: Keras silently drops the mask if one input has none, and treats
            a step as real if any input is.

    Returns:
        Tensor of the shape that the inputs broadcast to.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`.
        ValueError: If `inputs` is not a list.

    Example:

    >>> x, y = np.array([[[3.0], [2.0]]]), np.array([[[10.0], [np.nan]]])
    >>> mask = np.array([[True, False]])
    >>> z = keras_masking.layers.MaskedMultiply()([x, y], mask=[None, mask])
    >>> keras.ops.convert_to_numpy(z).ravel().tolist()
    [30.0, 2.0]
    """

    neutral = 1.0

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)


@export
class MaskedConcatenate(Merging, keras.layers.Concatenate):
    """Joins sequences along their features or their steps.

    Args:
        axis: The axis to join along: -1, the features, or 1, the steps. Along
            the steps columns are joined including padding;
            `TemporalConcatenate` packs the real steps. Defaults to -1.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: List of tensors of shape `(batch, steps, ...)`.
        mask: List with a boolean mask or None for each input, `(batch, steps)`,
            True at real steps. Defaults to the masks that the inputs carry, as
            does None in the list. An input without a mask is all real.

    Mask behavior:
        Reads: `(batch, steps)` for each input.
        Emits: `(batch, steps)`: along the features, True where every masked
            input is real; along the steps, the joined masks. None if no input
            has a mask.
        Empty row: the features of the inputs, with 0 at their padding.
        Padding values: count as 0, even if NaN.

    Keras layer:
        Drops in for: `keras.layers.Concatenate`: without a mask, the same
            outputs.
        Differs: Keras treats every step as real if one input has no mask, and a
            step as real if any input is, so padding of another input counts.
            `axis` must be the feature or step axis.

    Returns:
        Tensor of the concatenated inputs.

    Raises:
        MaskShapeError: If a mask is not `(batch, steps)`.
        ValueError: If `inputs` is not a list, or `axis` is the batch axis.

    Example:

    >>> x, y = np.array([[[3.0], [2.0]]]), np.array([[[10.0], [np.nan]]])
    >>> mask = np.array([[True, False]])
    >>> z = keras_masking.layers.MaskedConcatenate()([x, y], mask=[None, mask])
    >>> keras.ops.convert_to_numpy(z).tolist()
    [[[3.0, 10.0], [2.0, 0.0]]]
    """

    @property
    def packing_need(self) -> PackingNeed | str:  # type: ignore[override]
        """What it needs between two sequences, or why it cannot take them."""
        if self.axis in (-1, 2):
            return STEPWISE
        return "it joins rows along their steps"

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(axis=axis, **kwargs)
        if axis == 0:
            self._refuse_axis()

    def build(self, input_shape: list[Shape]) -> None:
        if self.axis == -len(input_shape[0]):
            self._refuse_axis()
        super().build(input_shape)

    def _refuse_axis(self) -> None:
        raise ValueError(
            describe(
                self.caller,
                "`axis` must be the feature axis or the step axis.",
                "Pass -1 or 1.",
                axis=self.axis,
            )
        )

    def merge_masks(
        self, inputs: list[Tensor], masks: list[Tensor | None]
    ) -> Tensor:
        if self.axis in (1, 1 - len(inputs[0].shape)):
            return join_masks(list(zip(inputs, masks)))
        return super().merge_masks(inputs, masks)
