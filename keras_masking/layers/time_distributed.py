"""A layer applied to each segment of a row, with the masks of both."""

from typing import Any

import keras
from keras import ops

from keras_masking._export import export
from keras_masking._types import Shape
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import zeros
from keras_masking.layers.wrapping import Wrapping
from keras_masking.ops import all_real
from keras_masking.ops import apply_mask
from keras_masking.ops.masks import any_real_of
from keras_masking.ops.reading import expanded


@export
class FoldSegments(keras.Operation):
    """`(batch, segments, ...)` to `(batch * segments, ...)`.

    An `Operation` of its own, like `UnfoldSegments`: a Functional model records
    what a `compute_mask` does, and `keras.ops.reshape` wants to know all sizes
    but one.
    """

    def call(self, x: Tensor) -> Tensor:
        return ops.reshape(x, folded(ops.shape(x)))

    def compute_output_spec(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor(folded(x.shape), dtype=x.dtype)


@export
class UnfoldSegments(keras.Operation):
    """`(batch * segments, ...)` to the first two axes of another tensor."""

    def call(self, y: Tensor, x: Tensor) -> Tensor:
        return ops.reshape(y, (*ops.shape(x)[:2], *ops.shape(y)[1:]))

    def compute_output_spec(
        self, y: keras.KerasTensor, x: keras.KerasTensor
    ) -> keras.KerasTensor:
        return keras.KerasTensor((*x.shape[:2], *y.shape[1:]), dtype=y.dtype)


def folded(shape: Any) -> Any:
    """The shape of all segments, one below the other."""
    rows = None if None in shape[:2] else shape[0] * shape[1]
    return (rows, *shape[2:])


@export
class MaskedTimeDistributed(Wrapping):
    """Applies a layer to each segment of a row, and keeps the masks.

    A text of sentences, say: `Embedding(mask_zero=True)` on ids `(batch,
    segments, steps)` gives a mask of the same shape, a recurrent layer in
    `MaskedTimeDistributed` makes a vector of each sentence, and the mask behind
    it says which sentences there are. All segments run at once.

    In training, each `BatchNormalization` inside takes its statistics from
    real segments (real steps, where a mask of steps fits its input), also
    behind a layer that loses the mask, and an `activity_regularizer` inside
    counts zeros at padding. Keras' own layers need no more: they treat each
    segment by itself. A layer of your own that keeps statistics gets zeros for
    padding segments, and one that calls `add_loss` gets them too: a
    `MaskWarning` says so, unless its `call` takes a `mask`. Noise is drawn for
    all segments, so more padding draws other noise, as in Keras.

    Args:
        layer: The layer for a segment.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, segments, ...)`.
        mask: Boolean tensor: of shape `(batch, segments, steps)`, or of shape
            `(batch, segments)`, which says which segments there are. Defaults
            to the mask that `inputs` carries, if any.
        training: Whether the layer trains; handed on if it asks.

    Mask behavior:
        Reads: `(batch, segments, steps)` or `(batch, segments)`. A segment is
            real where one of its steps is.
        Emits: `(batch, segments, steps)` where the layer inside makes such a
            mask of each segment, or keeps the one it is given; else `(batch,
            segments)`.
        Empty row: 0, as for any segment without a real step.
        Padding values: reach neither the output nor a gradient, NaN included.

    Keras layer:
        Drops in for: `keras.layers.TimeDistributed`: without a mask, the same
            numbers, and the same weights.
        Differs: Keras hands `mask[:, segment]` on as if it were a mask of
            steps, leaves a mask of steps on an output without, loses the mask
            that the layer inside makes, and drops all masks from 3.16 on. It
            calls a layer once for each segment, here once: the moving
            statistics of a BatchNormalization differ. In a call `mask` comes
            before `training`, as in our other layers.

    Returns:
        Tensor of shape `(batch, segments, ...)`, 0 where there is padding.

    Raises:
        MaskShapeError: If `mask` is not the first axes of `inputs`.
        ValueError: If `layer` is no layer, or `inputs` has no segments.

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

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)

    def build(self, input_shape: Shape) -> None:
        super().build(self._folded(input_shape))

    def _folded(self, shape: Shape) -> Shape:
        if len(shape) < 3:
            raise ValueError(
                describe(
                    self.who,
                    "`inputs` must have shape (batch, segments, ...).",
                    "Without segments call the layer inside by itself.",
                    **{"inputs.shape": tuple(shape)},
                )
            )
        return folded(shape)

    def mask_ndim(self, inputs: Tensor, mask: Tensor) -> int:
        # All axes but that of the features, for a wrapper in a wrapper.
        axes = len(getattr(mask, "shape", ()))
        return max(2, min(axes, len(inputs.shape) - 1))

    def call(
        self,
        inputs: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        mask = self.read_mask(inputs, mask)
        if 0 in inputs.shape:
            return zeros(self.compute_output_spec(inputs))
        rows = FoldSegments()(apply_mask(inputs, mask))
        real = None if mask is None else FoldSegments()(mask)
        outputs = self.tell(
            rows, self._steps(rows, mask), real, training=training
        )
        outputs = keras.tree.map_structure(
            lambda y: UnfoldSegments()(y, inputs), outputs
        )
        if mask is None:
            return outputs
        flat = keras.tree.flatten(outputs)
        real = self.compute_mask(inputs, mask)
        flat[0] = apply_mask(flat[0], real)
        flat[1:] = [apply_mask(y, any_real_of(mask, 2)) for y in flat[1:]]
        return keras.tree.pack_sequence_as(outputs, flat)

    def _steps(self, rows: Tensor, mask: Tensor | None) -> Tensor | None:
        """The mask of the steps in each segment, if they are steps at all."""
        if mask is None or len(rows.shape) < 3:
            return None
        mask = FoldSegments()(mask)
        if len(mask.shape) > 1:
            return mask
        return ops.logical_and(all_real(rows), ops.expand_dims(mask, -1))

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Any:
        mask = self.read_mask(inputs, mask)
        steps = None
        if mask is not None and len(mask.shape) > 2:
            steps = FoldSegments()(mask)
        inner = self._inner_mask(FoldSegments()(inputs), steps)
        if inner is None:
            return None if mask is None else any_real_of(mask, 2)
        inner = UnfoldSegments()(inner, inputs)
        if mask is None:
            return inner
        segments = expanded(any_real_of(mask, 2), len(inner.shape))
        return ops.logical_and(inner, segments)

    def _inner_mask(self, rows: Tensor, steps: Tensor | None) -> Tensor | None:
        """The mask of the steps that the layer inside returns."""
        if self.recurrent:
            return None if steps is None else self.sequence_mask(steps)
        own = (
            type(self.layer).compute_mask is not keras.layers.Layer.compute_mask
        )
        if not own and not self.layer.supports_masking:
            return None
        return keras.tree.flatten(self.layer.compute_mask(rows, steps))[0]

    def compute_output_shape(self, input_shape: Shape) -> Any:
        inner = self.layer.compute_output_shape(self._folded(input_shape))
        return (*input_shape[:2], *inner[1:])

    def compute_output_spec(
        self,
        inputs: keras.KerasTensor,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        rows = keras.KerasTensor(self._folded(inputs.shape), dtype=inputs.dtype)
        self._check_unrolled(self.read_mask(inputs, mask))
        return keras.tree.map_structure(
            lambda y: UnfoldSegments().compute_output_spec(y, inputs),
            self.layer.compute_output_spec(rows),
        )
