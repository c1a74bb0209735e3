"""Base classes of recurrent layers that skip padding."""

from typing import Any

import keras
from keras import ops

from keras_masking._backends import torch_traces
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.base import MaskAware
from keras_masking.layers.base import carrying
from keras_masking.layers.base import zeros_like_specs
from keras_masking.layers.closed_gates import may_fuse
from keras_masking.layers.closed_gates import saturates
from keras_masking.layers.kernels import gains_by_parts
from keras_masking.layers.packed import TakesPacked
from keras_masking.layers.resetting import check_no_shared_states
from keras_masking.layers.resetting import resetting_loop
from keras_masking.ops.known import differ
from keras_masking.ops.masks import both
from keras_masking.ops.masks import fill_padding
from keras_masking.ops.masks import has_real_step
from keras_masking.ops.masks import opposite
from keras_masking.ops.steps import unchecked_last_step


class SkipsPadding(MaskAware):
    """Mixin of recurrent layers: masks in and out, zeros at padding."""

    packed: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.supports_masking = True  # Keras 3.16 says that it does not

    def __call__(  # type: ignore[override]
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if args:
            first = (sequences, initial_state, mask)
            kwargs |= self.bind_by_name(first, args, kwargs)
        if initial_state is not None:
            if self.packed:
                raise ValueError(
                    describe(
                        self.caller,
                        "`initial_state` has one state for each row, but a "
                        "packed row has several sequences.",
                        "Leave it out: each sequence starts with states of 0.",
                        packed=True,
                    )
                )
            self._check_states(sequences, initial_state)
            kwargs["initial_state"] = initial_state
        return super().__call__(sequences, mask, **kwargs)

    def _check_states(self, sequences: Tensor, states: Any) -> None:
        given = [tuple(s.shape) for s in keras.tree.flatten(states)]
        shape = tuple(sequences.shape)
        wanted = [(shape[0], size) for size in self.state_sizes]
        fits = len(given) == len(wanted) and not any(
            len(one) != 2 or any(map(differ, one, other))
            for one, other in zip(given, wanted)
        )
        if not fits:
            raise ValueError(
                describe(
                    self.caller,
                    f"`initial_state` must have {len(wanted)} "
                    f"{'states' if len(wanted) > 1 else 'state'} of shape "
                    "(batch, units).",
                    f"Pass states of the shapes {wanted}.",
                    **{"initial_state shapes": given, "inputs.shape": shape},
                )
            )

    @property
    def state_sizes(self) -> list[int]:
        """The number of units of each state."""
        return [*self.state_size]

    @property
    def sequences_out(self) -> int:
        """How many of the outputs are not states."""
        return 1

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool | None = False,
    ) -> Any:
        mask = self.read_mask(sequences, mask)
        check_unrolled(self.caller, self, mask)
        if 0 in sequences.shape:
            return zeros_like_specs(self.compute_output_spec(sequences))
        outputs = super().call(
            fill_padding(sequences, mask),
            initial_state=initial_state,
            mask=mask,
            training=training,
        )
        if mask is None:
            return outputs
        flat = keras.tree.flatten(outputs)
        real = sequence_mask(self, mask)
        for i in range(self.sequences_out):
            if real is None:
                flat[i] = fill_padding(flat[i], has_real_step(mask))
            else:
                flat[i] = carrying(fill_padding(flat[i], real), real)
        return keras.tree.pack_sequence_as(outputs, flat)

    def compute_output_spec(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        mask = self.read_mask(sequences, mask)
        check_unrolled(self.caller, self, mask)
        return super().compute_output_spec(sequences)

    def compute_mask(self, inputs: Any, mask: Tensor | None = None) -> Any:
        real = None
        if mask is not None:
            real = sequence_mask(self, self.read_mask(inputs, mask))
        states = len(self.state_sizes) if self.return_state else 0
        masks = [real] * self.sequences_out + [None] * states
        return masks if len(masks) > 1 else real


class Recurrent(TakesPacked, SkipsPadding):
    """One direction; `fused` runs the kernel of the layer without a mask."""

    def __init__(
        self, units: int, *args: Any, packed: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(units, *args, packed=packed, **kwargs)
        if self.packed:
            check_no_shared_states(self.caller, self)

    def loop_is_faster(self) -> bool:
        """Whether Keras' loop beats its kernel, without a mask."""
        return False

    def fused(
        self, x: Tensor, states: list[Tensor], mask: Tensor | None
    ) -> Any:
        """Like `inner_loop`, forwards and without dropout.

        Raises `NotImplementedError` if Keras has no kernel for it.
        """
        raise NotImplementedError

    def fused_packed(
        self, x: Tensor, states: list[Tensor], mask: Tensor
    ) -> Any:
        """Like `fused`, with states of 0 at padding, `packed`."""
        raise NotImplementedError

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: Any,
        mask: Tensor | None,
        training: bool | None = False,
    ) -> Any:
        if self.stateful:
            # Keras assigns to them, on PyTorch before the gradient is computed.
            initial_state = keras.tree.map_structure(ops.copy, initial_state)
        given = (sequences, initial_state, mask, training)
        if mask is None and self.loop_is_faster():
            return keras.layers.RNN.inner_loop(self, *given)
        fast = None
        if self._fuses(sequences, mask):
            fast = self._on_kernel(*given)
        if self.packed and mask is not None:
            # A kernel would carry a NaN into the next sequence: 0 * NaN.
            if fast is not None and bool(ops.all(ops.isfinite(fast[1]))):
                return fast
            return resetting_loop(self, *given)
        return super().inner_loop(*given) if fast is None else fast

    def _fuses(self, x: Tensor, mask: Tensor | None) -> bool:
        """Whether to call the fast kernel: on PyTorch only.

        On the other backends Keras' loop with a mask is as fast as its kernel.
        """
        if not may_fuse(self):
            return False
        if mask is None:  # otherwise Keras calls it
            return gains_by_parts(x)
        # A trace does not know whether a packed row came out finite.
        return saturates(self) and not (self.packed and torch_traces())

    def _on_kernel(
        self,
        sequences: Tensor,
        initial_state: Any,
        mask: Tensor | None,
        training: bool | None,
    ) -> Any:
        """`inner_loop` on the fast kernel, or None if there is none."""
        x, real = sequences, mask
        if self.go_backwards:
            x = ops.flip(x, axis=1)
            real = None if mask is None else ops.flip(mask, axis=1)
        if training and self.dropout:
            kept = self.cell.get_dropout_mask(x[:, 0, :])
            x = x * ops.expand_dims(kept, 1)
        states = keras.tree.flatten(initial_state)
        try:
            if self.packed and real is not None:
                return self.fused_packed(x, states, real)
            return self.fused(x, states, real)
        except NotImplementedError:
            return None


def sequence_mask(layer: Any, mask: Tensor) -> Tensor | None:
    """The mask of the sequence that a recurrent layer returns."""
    if not layer.return_sequences:
        return None
    backwards = getattr(layer, "go_backwards", False)
    return ops.flip(mask, axis=1) if backwards else mask  # like its outputs


def check_unrolled(
    caller: str, recurrent: Any, mask: Tensor | None, **received: Any
) -> None:
    """Refuses what Keras' loop computes wrongly."""
    backwards = getattr(recurrent, "go_backwards", False)
    if mask is not None and backwards and getattr(recurrent, "unroll", False):
        raise ValueError(
            describe(
                caller,
                "Keras cannot compute a masked sequence that is unrolled "
                "backwards.",
                "Pass `unroll=False`, which computes the same.",
                **received,
                unroll=True,
                go_backwards=True,
            )
        )


def last_or(state: Tensor, outputs: Tensor, mask: Tensor) -> Tensor:
    """The output at the last real step; in empty rows the state before."""
    last = unchecked_last_step(outputs, mask)
    return ops.where(has_real_step(mask, keepdims=True), last, state)


def padded_right(mask: Tensor) -> bool:
    """Whether all real steps are known to come first."""
    if torch_traces():
        return False
    return not bool(ops.any(both(mask[:, 1:], opposite(mask[:, :-1]))))
