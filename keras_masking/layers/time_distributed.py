"""A wrapper that applies a layer to each segment of a row, with masks."""

from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._keras import get_mask
from keras_masking._keras import set_mask
from keras_masking._packing import STEPWISE
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import zeros_like_specs
from keras_masking.layers.lent_masks import LENT
from keras_masking.layers.lent_masks import join_lent
from keras_masking.layers.segments import FoldSegments
from keras_masking.layers.segments import UnfoldSegments
from keras_masking.layers.segments import folded
from keras_masking.layers.wrapping import Wrapping
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.masks import combine_masks
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step_in
from keras_masking.ops.masks import unchecked_full_mask

# Layers of single steps, which ignore the input mask.
BY_STEP = (keras.layers.Embedding, keras.layers.Masking)


@export
class MaskedTimeDistributed(Wrapping):
    """Applies a layer to each segment of a row, and keeps the masks.

    For example for texts of sentences: `Embedding(mask_zero=True)` on ids
    `(batch, segments, steps)` gives a mask of the same shape, a recurrent layer
    in `MaskedTimeDistributed` turns each sentence into a vector, and the output
    mask marks the real sentences. All segments run at once.

    In training, each `BatchNormalization` inside takes its statistics from real
    segments (from real steps if a mask of steps fits its input), even after a
    layer that loses the mask or folds steps into rows, and an
    `activity_regularizer` inside sees zeros at padding. If their inputs do not
    have the axes of the mask, a `MaskWarning` says so once. Other Keras layers
    treat each segment separately. A custom layer that keeps statistics or calls
    `add_loss` sees zeros for padding segments: in the latter case a
    `MaskWarning` says so, unless its `call` takes a `mask`. Noise is drawn for
    all segments, so it changes with more padding, as in Keras.

    Args:
        layer: The layer to apply to each segment.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, segments, ...)`.
        mask: Boolean tensor of shape `(batch, segments, steps)`, or of shape
            `(batch, segments)`, which marks the real segments. Integer inputs
            `(batch, segments, steps)` are ids, and may have a mask of their
            shape. Defaults to the mask that `inputs` carries, if any.
        training: Whether to run in training mode; passed on if the layer takes
            it.

    Mask behavior:
        Reads: `(batch, segments, steps)` or `(batch, segments)`. A segment is
            real if any of its steps is.
        Emits: a mask for each output: `(batch, segments, steps)` if the output
            of the layer inside carries a mask of steps, made by that layer or
            passed on; else `(batch, segments)`. An `Embedding` keeps the mask
            of its ids.
        Empty row: 0, as in any segment without a real step.
        Padding values: affect neither the output nor any gradient, even if NaN.

    Keras layer:
        Drops in for: `keras.layers.TimeDistributed`: the same weights, and
            without a mask the same outputs.
        Differs: Keras passes `mask[:, segment]` on as if it were a mask of
            steps, keeps a mask of steps on an output without steps, loses the
            mask that the layer inside makes, and drops all masks from 3.16 on.
            Keras calls the layer once for each segment, this wrapper once in
            all, so moving statistics of a BatchNormalization differ. In a call
            `mask` comes before `training`, as in our other layers.

    Returns:
        What the layer returns, as tensors of shape `(batch, segments, ...)`, 0
        at padding.

    Raises:
        MaskShapeError: If the shape of `mask` is not that of the first axes of
            `inputs`, without the feature axis.
        ValueError: If `layer` is not a layer, or `inputs` has no segments.

    Example:

    >>> x = np.array([[[[1.0], [2.0]], [[4.0], [np.nan]]]])
    >>> mask = np.array([[[True, True], [True, False]]])
    >>> pool = keras_masking.layers.MaskedGlobalSumPooling1D()
    >>> y = keras_masking.layers.MaskedTimeDistributed(pool)(x, mask=mask)
    >>> keras.ops.convert_to_numpy(y).tolist()
    [[[3.0], [4.0]]]
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(y)).tolist()
    [[True, True]]
    """

    row_axes = 2

    packing_need = STEPWISE

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self._made: tuple[int | None, ...] | None = None

    def build(self, input_shape: Shape) -> None:
        super().build(self._folded(input_shape))

    def _folded(self, shape: Shape) -> Shape:
        if len(shape) < 3:
            raise ValueError(
                describe(
                    self.caller,
                    "`inputs` must have shape (batch, segments, ...).",
                    "Without segments call the layer inside directly.",
                    **{"inputs.shape": tuple(shape)},
                )
            )
        return folded(shape)

    def mask_ndim(self, inputs: Tensor, mask: Tensor) -> int:
        # All axes but the features, for nested wrappers; ids have no features.
        axes = len(getattr(mask, "shape", ()))
        most = len(inputs.shape) - ("int" not in dtype_name(inputs))
        return max(2, min(axes, most))

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        mask = self.read_mask(inputs, mask)
        if 0 in inputs.shape:
            return self._of_nothing(inputs, mask)
        rows = FoldSegments()(fill_padding(inputs, mask))
        steps = self._steps(mask)
        inner_mask = steps
        if steps is None and mask is not None and len(rows.shape) > 2:
            segments = ops.expand_dims(FoldSegments()(mask), -1)
            inner_mask = ops.logical_and(unchecked_full_mask(rows), segments)
        real = self._to_lend(inputs, mask)
        outputs = self.call_with_mask(rows, inner_mask, real, training=training)
        flat = keras.tree.flatten(outputs)
        known = [get_mask(y) for y in flat] if steps is inner_mask else None
        if known is None and self.opaque:
            # Its mask for a mask of segments is not a mask of steps.
            made = zip(flat, self._makes(inputs))
            known = [None if n is None else get_mask(y) for y, n in made]
        masks = self._masks(inputs, mask, known, len(flat))
        flat = [UnfoldSegments()(y, inputs) for y in flat]
        for i, real in enumerate(masks):
            if mask is not None:
                flat[i] = fill_padding(flat[i], real)
            if real is not None:
                set_mask(flat[i], real)
        return keras.tree.pack_sequence_as(outputs, flat)

    def _of_nothing(self, inputs: Tensor, mask: Tensor | None) -> Any:
        outputs = zeros_like_specs(self.compute_output_spec(inputs))
        if self.opaque:
            flat = keras.tree.flatten(outputs)
            for y, ndim in zip(flat, self.rehearsed(inputs, mask)):
                if ndim is not None:
                    set_mask(y, ops.zeros(y.shape[:ndim], dtype="bool"))
        return outputs

    def _steps(self, mask: Tensor | None) -> Tensor | None:
        """The mask if it is a mask of steps, else None."""
        of_steps = mask is not None and len(mask.shape) > 2
        return FoldSegments()(mask) if of_steps else None

    def _makes(self, inputs: Tensor) -> tuple[int | None, ...]:
        """The ranks of the masks that the layer inside makes on its own."""
        if self._made is None:
            self._made = tuple(self.rehearsed(inputs, None))
        return self._made

    def _to_lend(self, inputs: Tensor, mask: Tensor | None) -> Tensor | None:
        """The mask of the rows inside; all real if none fits."""
        mask = join_lent(self, inputs, mask)
        if mask is None and not LENT.loans:
            return None
        if mask is None or len(mask.shape) < 2:
            mask = combine_masks([mask, unchecked_full_mask(inputs)])
        return FoldSegments()(mask)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Any:
        mask = self.read_mask(inputs, mask)
        if self.opaque:
            # The outputs carry more specific masks; those of a graph, at run
            # time.
            symbolic = isinstance(inputs, keras.KerasTensor)
            return (
                None if symbolic or mask is None else has_real_step_in(mask, 2)
            )
        outputs = [None]
        if mask is not None:
            outputs = keras.tree.flatten(self._inner_spec(inputs))
        masks = self._masks(inputs, mask, None, len(outputs))
        return masks if len(masks) > 1 else masks[0]

    def _masks(
        self,
        inputs: Tensor,
        mask: Tensor | None,
        known: list[Tensor | None] | None,
        count: int,
    ) -> list[Tensor | None]:
        """The mask of each output, from the masks of the steps inside."""
        steps = self._steps(mask)
        if self.recurrent:
            inner = None if steps is None else self.sequence_mask(steps)
            known = [inner] * self.sequences
        elif known is None:
            known = self.declared_masks(FoldSegments()(inputs), steps)
        if isinstance(self.layer, BY_STEP):
            known = [combine_masks([m, steps]) for m in known]
        segments = None if mask is None else has_real_step_in(mask, 2)
        count = len(known) if mask is None else count
        return [
            segments
            if m is None
            else combine_masks([UnfoldSegments()(m, inputs), segments])
            for m in [*known, *[None] * count][:count]
        ]

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return keras.tree.map_shape_structure(
            lambda inner: (*input_shape[:2], *inner[1:]),
            self.layer.compute_output_shape(self._folded(input_shape)),
        )

    def _inner_spec(self, inputs: Tensor) -> Any:
        shape = self._folded(inputs.shape)
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        return self.layer.compute_output_spec(keras.KerasTensor(shape, dtype))

    def compute_output_spec(
        self,
        inputs: keras.KerasTensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        self._check_unrolled(self.read_mask(inputs, mask))
        return keras.tree.map_structure(
            lambda y: UnfoldSegments().compute_output_spec(y, inputs),
            self._inner_spec(inputs),
        )
