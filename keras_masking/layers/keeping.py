"""A layer around any other that keeps the steps: the mask stays, too."""

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
    "Convolution, pooling, cropping and splitting change the mask as well: "
    "use `MaskedConv1D`, `MaskedMaxPooling1D` and the others of "
    "`keras_masking.layers`, without `KeepMask`."
)


@export
class KeepMask(Wrapping):
    """Wraps a layer that keeps the steps, and keeps their mask.

    For Keras' recurrent layers, `RMSNormalization`, `EinsumDense`, `Lambda`
    and any other layer that loses the mask or stumbles over padding. The layer
    inside gets zeros at padding steps, and the mask, if it takes one.

    A layer that mixes steps and looks at no mask meets these zeros: that is
    right for a convolution and wrong for a maximum. TensorFlow's cuDNN takes
    right padding and no empty row: else pass `use_cudnn=False` to the
    recurrent layer.

    In training, each `BatchNormalization` in the layer inside takes its
    statistics from real steps, also behind one that loses the mask or folds
    steps into rows, and an `activity_regularizer` counts zeros at padding
    steps; where the steps are gone, from rows with a real step. Where its input
    has other axes than the mask, behind a `Reshape` for example, it counts
    padding, as a layer of your own does that calls `add_loss` and takes no
    `mask`: a `MaskWarning` says so. Instead of
    `KeepMask(TimeDistributed(layer))` use `MaskedTimeDistributed(layer)`.

    Args:
        layer: The layer. It keeps the axes `(batch, steps, ...)`, or is a
            recurrent one with `return_sequences=False`.
        **kwargs: Base layer keyword arguments, such as `name` and `dtype`.

    Call arguments:
        inputs: Tensor of shape `(batch, steps, ...)`, or a list of them, of
            the same steps, if the layer merges a list.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps; of
            a list a list, None for an input without. Defaults to the mask that
            `inputs` carries, if any.
        initial_state: The first states of a recurrent layer.
        training: Whether the layer trains; handed on if it asks.

    Mask behavior:
        Reads: `(batch, steps)`; of a list one for each input.
        Emits: the mask it reads, reversed if the layer goes backwards; of a
            list True where every masked input is real. False also where the
            layer inside makes a mask that is False. None if the steps are
            gone. States carry none.
        Empty row: 0.
        Padding values: reach neither the output nor a gradient, NaN included.
            The output is 0 at padding steps.

    Returns:
        What the layer returns. The first output is the sequence (the first two
        of a `Bidirectional` with `merge_mode=None`); others stay as they are.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `layer` is no layer, or it changes the step axis, or it
            is a masked recurrent layer that goes backwards and is unrolled,
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
            if real is None:  # no steps, but rows, some of which may be empty
                flat[i] = fill_padding(
                    flat[i], has_real_step(combine_masks(mask))
                )
            else:
                flat[i] = fill_padding(flat[i], real)
                set_mask(flat[i], real)
        return keras.tree.pack_sequence_as(outputs, flat)

    def _real(self, inputs: Any, mask: Any) -> Tensor | None:
        """The mask to lend; without one, what a wrapper around this lends."""
        if mask is None:
            return None
        first = keras.tree.flatten(inputs)[0]
        return join_lent(self, first, combine_masks(mask))

    def _joined(
        self, mask: Any, made: list[Tensor | None]
    ) -> list[Tensor | None]:
        """The masks of the sequences, with what the layer inside makes."""
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
        """Refuses a layer whose outputs have other steps than its inputs."""
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
