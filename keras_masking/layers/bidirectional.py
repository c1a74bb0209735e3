"""A recurrent layer in both directions."""

from typing import Any

import keras

from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.packed import TakesPacked
from keras_masking.layers.recurrent import MaskedGRU
from keras_masking.layers.recurrent import MaskedLSTM
from keras_masking.layers.recurrent import MaskedSimpleRNN
from keras_masking.layers.recurrent_base import Recurrent
from keras_masking.layers.recurrent_base import SkipsPadding

OURS = {
    keras.layers.GRU: MaskedGRU,
    keras.layers.LSTM: MaskedLSTM,
    keras.layers.SimpleRNN: MaskedSimpleRNN,
}


@export
class MaskedBidirectional(SkipsPadding, keras.layers.Bidirectional):
    """Runs a recurrent layer forwards and backwards over the real steps.

    Args:
        layer: A recurrent layer. A Keras `LSTM`, `GRU` or `SimpleRNN` is
            replaced by ours with the same config.
        *args: The remaining arguments of `keras.layers.Bidirectional`, in its
            order.
        packed: Whether rows are packed, as in `MaskedLSTM`. Defaults to that of
            `layer`.
        **kwargs: The other arguments of `keras.layers.Bidirectional`:
            `merge_mode`, `weights`, `backward_layer`; and base layer arguments,
            such as `name` and `dtype`.

    Call arguments:
        sequences: Float tensor of shape `(batch, steps, features)`.
        initial_state: A list of the states `(batch, units)` of the forward,
            then of the backward layer. Defaults to zeros.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `sequences` carries, if any.
        training: Whether to apply dropout.

    Mask behavior:
        Reads: `(batch, steps)`, of any form. With `packed` each run of real
            steps is a sequence.
        Emits: with `return_sequences` the mask it reads, on both sequences with
            `merge_mode=None`; else none: there is no step axis. States carry no
            mask.
        Empty row: 0; its states are the initial ones.
        Padding values: affect neither the output nor any gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.Bidirectional`: the same arguments and
            weights, and without a mask the same outputs.
        Differs: padding is 0 in the output; the mask counts with
            `initial_state` and is passed on in every version of Keras.

    Returns:
        What `keras.layers.Bidirectional` returns, of the compute dtype.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `layer` is not recurrent, `initial_state` does not fit,
            or `packed` is set for another layer than `LSTM`, `GRU` and
            `SimpleRNN`.

    Example:

    >>> x = np.array([[[1.0], [2.0], [np.nan]]])
    >>> mask = np.array([[True, True, False]])
    >>> both = keras_masking.layers.MaskedBidirectional(keras.layers.GRU(4))
    >>> padded = keras.ops.convert_to_numpy(both(x, mask=mask))
    >>> alone = keras.ops.convert_to_numpy(both(x[:, :2]))
    >>> np.allclose(padded, alone, atol=1e-6)
    True
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        *args: Any,
        packed: bool | None = None,
        **kwargs: Any,
    ) -> None:
        if packed is None:
            packed = getattr(layer, "packed", False)
        if kwargs.get("backward_layer") is not None:
            kwargs["backward_layer"] = _ours(kwargs["backward_layer"], packed)
        super().__init__(_ours(layer, packed), *args, **kwargs)

    packing_need = TakesPacked.packing_need

    @property
    def packed(self) -> bool:  # type: ignore[override]
        """Whether both layers take packed rows."""
        return bool(getattr(self.forward_layer, "packed", False))

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        return super().call(sequences, initial_state, mask, training)

    @property
    def go_backwards(self) -> bool:
        """Whether the outputs are reversed: both follow the forward layer."""
        return bool(self.forward_layer.go_backwards)

    @property
    def state_sizes(self) -> list[int]:
        layers = (self.forward_layer, self.backward_layer)
        return [size for layer in layers for size in layer.state_size]

    @property
    def sequences_out(self) -> int:
        return 2 if self.merge_mode is None else 1

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "packed": self.packed}


def _ours(layer: Any, packed: bool) -> Any:
    kind = OURS.get(type(layer))
    if kind is None and packed == getattr(layer, "packed", False):
        return layer
    if kind is None and isinstance(layer, Recurrent):
        kind = type(layer)
    if kind is None:
        raise ValueError(
            describe(
                "MaskedBidirectional",
                "`packed` needs an LSTM, GRU or SimpleRNN.",
                "Pass one of these layers.",
                layer=type(layer).__name__,
            )
        )
    return kind.from_config({**layer.get_config(), "packed": packed})
