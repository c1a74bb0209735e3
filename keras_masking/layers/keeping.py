"""A wrapper for layers that keep the steps: it keeps the mask too."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking._keras import get_mask
from keras_masking._keras import set_mask
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import zeros_like_specs
from keras_masking.layers.lent_masks import join_lent
from keras_masking.layers.wrapping import Wrapping
from keras_masking.ops.known import differ
from keras_masking.ops.masks import combine_masks
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step

FIX = (
    "Layers that convolve, pool, crop or split must change the mask too: use "
    "those of `keras_masking.layers`, for example `MaskedConv1D`, without "
    "`KeepMask`."
)


@export
class KeepMask(Wrapping):
    """Wraps a layer that keeps the steps, and keeps their mask.

    For Keras' recurrent layers, `RMSNormalization`, `EinsumDense`, `Lambda` and
    any other layer that loses the mask or mishandles padding. The layer inside
    gets zeros at padding steps, and the mask if it takes one.

    A layer that mixes steps and ignores the mask reads these zeros, which is
    right for a convolution and wrong for a maximum. TensorFlow's cuDNN kernels
    need padding on the right and no empty rows: otherwise pass
    `use_cudnn=False` to the recurrent layer.

    In training, each `BatchNormalization` inside takes its statistics from real
    steps (without a step axis, from rows with a real step), even after a layer
    that loses the mask or folds steps into rows, and an `activity_regularizer`
    sees zeros at padding steps. If their inputs do not have the axes of the
    mask, for example after a `Reshape`, they count padding, and so does a
    custom layer that calls `add_loss` and takes no `mask`: a `MaskWarning` says
    so. Instead of `KeepMask(TimeDistributed(layer))` use
    `MaskedTimeDistributed(layer)`.

    Args:
        layer: A layer that keeps the axes `(batch, steps, ...)`, or a recurrent
            layer with `return_sequences=False`.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`, or a list of tensors with
            the same steps if the layer merges a list.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps; for
            a list of inputs, a list with a mask or None for each. Defaults to
            the mask that `inputs` carries, if any.
        initial_state: The initial states of a recurrent layer.
        training: Whether to run in training mode; passed on if the layer takes
            it.

    Mask behavior:
        Reads: `(batch, steps)`; one for each input of a list.
        Emits: the mask it reads, reversed if the layer goes backwards; for a
            list, True where every masked input is real; combined with any mask
            that the layer inside makes. None if the output has no steps. States
            carry no mask.
        Empty row: 0.
        Padding values: affect neither the output nor any gradient, even if NaN.
            The output is 0 at padding steps.

    Returns:
        What the layer returns. The first output is the sequence (the first two
        of a `Bidirectional` with `merge_mode=None`); others are not changed.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `layer` is not a layer, changes the step axis, or is a
            recurrent layer with `go_backwards` and `unroll` that gets a mask,
            which Keras computes wrongly.

    Example:

    >>> x = np.array([[[1.0], [np.nan]]])
    >>> mask = np.array([[True, False]])
    >>> double = keras.layers.Lambda(lambda x: 2 * x)
    >>> y = keras_masking.layers.KeepMask(double)(x, mask=mask)
    >>> keras.ops.convert_to_numpy(y).ravel().tolist()
    [2.0, 0.0]
    >>> keras.ops.convert_to_numpy(keras_masking.layers.GetMask()(y)).tolist()
    [[True, False]]
    """

    # As the layer inside.
    packing_need = None  # type: ignore[assignment]

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)

    def read_mask(self, inputs: Any, mask: Any) -> Any:
        if isinstance(inputs, (list, tuple)):
            masks = self.read_masks(inputs, mask)
            return None if all(m is None for m in masks) else masks
        return super().read_mask(inputs, mask)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        training: bool | None = None,
    ) -> Any:
        mask = self.read_mask(inputs, mask)
        if any(0 in x.shape for x in keras.tree.flatten(inputs)):
            return zeros_like_specs(
                self.compute_output_spec(inputs, mask, initial_state)
            )
        if isinstance(mask, list):
            inputs = [fill_padding(x, m) for x, m in zip(inputs, mask)]
        elif mask is not None:
            inputs = fill_padding(inputs, mask)
        outputs = self.call_with_mask(
            inputs,
            mask,
            self._real(inputs, mask),
            initial_state=initial_state,
            training=training,
        )
        self._check_steps(inputs, outputs)
        if mask is None:
            return outputs
        flat = keras.tree.flatten(outputs)
        masks = self._joined(mask, [get_mask(y) for y in flat])
        for i, real in enumerate(masks):
            if real is None:  # an output of rows, some of which may be empty
                flat[i] = fill_padding(
                    flat[i], has_real_step(combine_masks(mask))
                )
            else:
                flat[i] = fill_padding(flat[i], real)
                set_mask(flat[i], real)
        return keras.tree.pack_sequence_as(outputs, flat)

    def _real(self, inputs: Any, mask: Any) -> Tensor | None:
        """The mask to lend, else the mask that an outer wrapper lends."""
        if mask is None:
            return None
        first = keras.tree.flatten(inputs)[0]
        return join_lent(self, first, combine_masks(mask))

    def _joined(
        self, mask: Any, made: list[Tensor | None]
    ) -> list[Tensor | None]:
        """The masks of the sequences, combined with those made inside."""
        kept = self.sequence_mask(combine_masks(mask))
        if self.recurrent:
            return [kept] * self.sequences
        return [combine_masks([kept, made[0]])]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        mask = self.read_mask(inputs, mask)
        if mask is None:
            return None
        made = [None] if self.opaque else self.declared_masks(inputs, mask)
        masks = self._joined(mask, made)
        return masks if len(masks) > 1 else masks[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        training: bool | None = None,
    ) -> Any:
        self._check_unrolled(self.read_mask(inputs, mask))
        states = (
            {} if initial_state is None else {"initial_state": initial_state}
        )
        outputs = self.layer.compute_output_spec(inputs, **states)
        self._check_steps(inputs, outputs)
        return outputs

    def _check_steps(self, inputs: Any, outputs: Any) -> None:
        """Rejects a layer whose outputs do not have the steps of its inputs."""
        if not getattr(self.layer, "return_sequences", True):
            return
        given = tuple(keras.tree.flatten(inputs)[0].shape)
        for y in keras.tree.flatten(outputs)[: self.sequences]:
            kept = len(y.shape) >= min(len(given), 3)
            if not kept or any(map(differ, given[1:2], y.shape[1:2])):
                raise ValueError(
                    describe(
                        self.caller,
                        "the layer inside must keep the axes (batch, steps, "
                        "...).",
                        FIX,
                        **{
                            "layer": self.inner_label,
                            "inputs.shape": given,
                            "outputs.shape": tuple(y.shape),
                        },
                    )
                )
