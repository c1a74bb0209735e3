"""Recurrent layers that skip padding, at the speed of those without a mask."""

from typing import Any

import keras

from keras_masking._backends import has_only_cpus
from keras_masking._export import export
from keras_masking._types import Tensor
from keras_masking.layers.closed_gates import SHUT
from keras_masking.layers.closed_gates import may_run_on
from keras_masking.layers.closed_gates import resetting_gru
from keras_masking.layers.closed_gates import resetting_lstm
from keras_masking.layers.closed_gates import weights_of
from keras_masking.layers.closed_gates import with_padding_feature
from keras_masking.layers.kernels import run_gru
from keras_masking.layers.kernels import run_lstm
from keras_masking.layers.recurrent_base import Recurrent
from keras_masking.layers.recurrent_base import last_or
from keras_masking.layers.recurrent_base import padded_right
from keras_masking.ops.order import unchecked_compact_steps
from keras_masking.ops.order import unchecked_spread_steps


@export
class MaskedLSTM(Recurrent, keras.layers.LSTM):
    """Long short-term memory over the real steps of a sequence.

    Args:
        units: Number of units.
        *args: The remaining arguments of `keras.layers.LSTM`, in its order.
        packed: Whether rows are packed: each sequence of a row, parted by
            padding, starts with states of 0. It needs `return_sequences`, and
            neither `return_state`, `stateful` nor `initial_state`; with
            `go_backwards` the sequences of a row are returned in reverse order
            too, and dropout is shared by them. Defaults to False.
        **kwargs: The other arguments of `keras.layers.LSTM`:
            `return_sequences`, `return_state`, `go_backwards`, `stateful`,
            `dropout`, initializers, regularizers and constraints; and base
            layer arguments, such as `name` and `dtype`.

    Call arguments:
        sequences: Float tensor of shape `(batch, steps, features)`.
        initial_state: A list of two tensors `(batch, units)`. Defaults to
            zeros.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `sequences` carries, if any.
        training: Whether to apply dropout.

    Mask behavior:
        Reads: `(batch, steps)`, of any form: padding on the right, on the left
            and between real steps is skipped. With `packed` each run of real
            steps is a sequence.
        Emits: with `return_sequences` the mask it reads, reversed with
            `go_backwards`; else none: there is no step axis. States carry no
            mask.
        Empty row: 0; its states are the initial ones.
        Padding values: affect neither the output nor any gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.LSTM`: the same arguments and weights, and
            without a mask the same outputs.
        Differs: padding is 0 in the output, where Keras repeats the last one;
            the mask counts with `initial_state` and is passed on in every
            version of Keras. On PyTorch the fast kernel runs with a mask
            too, unless the recurrent activation is neither `"sigmoid"` nor
            `"hard_sigmoid"`, or there is `recurrent_dropout`.

    Returns:
        The last real output of each row, `(batch, units)`, or with
        `return_sequences` all of them, `(batch, steps, units)`, of the compute
        dtype. With `return_state`, a tuple of it and the states after the last
        real step.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `initial_state` does not fit, a sequence with a mask is
            unrolled backwards, which Keras computes wrongly, or an argument
            excludes `packed`.

    Example:

    >>> x = np.array([[[1.0], [2.0], [np.nan]], [[1.0], [2.0], [3.0]]])
    >>> mask = np.array([[True, True, False], [True, True, True]])
    >>> rnn = keras_masking.layers.MaskedLSTM(4)
    >>> padded = keras.ops.convert_to_numpy(rnn(x, mask=mask))
    >>> alone = keras.ops.convert_to_numpy(rnn(x[:1, :2]))
    >>> np.allclose(padded[:1], alone, atol=1e-6)
    True
    """

    def fused(
        self, x: Tensor, states: list[Tensor], mask: Tensor | None
    ) -> Any:
        if mask is None:
            return run_lstm(x, states, weights_of(self))
        # The output at padding is wrong, so it must not come before a real
        # step.
        compact = not padded_right(mask)
        front = mask
        if compact:
            x, front = unchecked_compact_steps(x, mask)
        weights = weights_of(self)
        if self.return_state or self.stateful or not may_run_on(self):
            # The input gate closes and the forget gate opens: c stays.
            weights = weights_of(self, [-SHUT, SHUT, 0.0, 0.0])
            x = with_padding_feature(x, front)
        _, outputs, (_, last_c) = run_lstm(x, states, weights)
        if compact:
            outputs = unchecked_spread_steps(outputs, mask)
        last = last_or(states[0], outputs, mask)
        return last, outputs, [last, last_c]

    def fused_packed(
        self, x: Tensor, states: list[Tensor], mask: Tensor
    ) -> Any:
        return resetting_lstm(self, x, states, mask)


@export
class MaskedGRU(Recurrent, keras.layers.GRU):
    """Gated recurrent unit over the real steps of a sequence.

    Args:
        units: Number of units.
        *args: The remaining arguments of `keras.layers.GRU`, in its order.
        packed: Whether rows are packed: each sequence of a row, parted by
            padding, starts with states of 0. It needs `return_sequences`, and
            neither `return_state`, `stateful` nor `initial_state`; with
            `go_backwards` the sequences of a row are returned in reverse order
            too, and dropout is shared by them. Defaults to False.
        **kwargs: The other arguments of `keras.layers.GRU`:
            `return_sequences`, `return_state`, `go_backwards`, `stateful`,
            `dropout`, initializers, regularizers and constraints; and base
            layer arguments, such as `name` and `dtype`.

    Call arguments:
        sequences: Float tensor of shape `(batch, steps, features)`.
        initial_state: A tensor `(batch, units)`, or a list of one. Defaults to
            zeros.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `sequences` carries, if any.
        training: Whether to apply dropout.

    Mask behavior:
        Reads: `(batch, steps)`, of any form: padding on the right, on the left
            and between real steps is skipped. With `packed` each run of real
            steps is a sequence.
        Emits: with `return_sequences` the mask it reads, reversed with
            `go_backwards`; else none: there is no step axis. States carry no
            mask.
        Empty row: 0; its states are the initial ones.
        Padding values: affect neither the output nor any gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.GRU`: the same arguments and weights, and
            without a mask the same outputs.
        Differs: padding is 0 in the output, where Keras repeats the last one;
            the mask counts with `initial_state` and is passed on in every
            version of Keras. On PyTorch the fast kernel runs with a mask
            too, unless `reset_after=False`, the recurrent activation is neither
            `"sigmoid"` nor `"hard_sigmoid"`, or there is `recurrent_dropout`.

    Returns:
        The last real output of each row, `(batch, units)`, or with
        `return_sequences` all of them, `(batch, steps, units)`, of the compute
        dtype. With `return_state`, a tuple of it and the states after the last
        real step.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `initial_state` does not fit, a sequence with a mask is
            unrolled backwards, which Keras computes wrongly, or an argument
            excludes `packed`.

    Example:

    >>> x = np.array([[[1.0], [2.0], [np.nan]], [[1.0], [2.0], [3.0]]])
    >>> mask = np.array([[True, True, False], [True, True, True]])
    >>> rnn = keras_masking.layers.MaskedGRU(4)
    >>> padded = keras.ops.convert_to_numpy(rnn(x, mask=mask))
    >>> alone = keras.ops.convert_to_numpy(rnn(x[:1, :2]))
    >>> np.allclose(padded[:1], alone, atol=1e-6)
    True
    """

    def loop_is_faster(self) -> bool:
        # On JAX and a CPU it takes less than half the time of Keras' kernel.
        return keras.backend.backend() == "jax" and has_only_cpus()

    def fused(
        self, x: Tensor, states: list[Tensor], mask: Tensor | None
    ) -> Any:
        if mask is None:
            return run_gru(x, states, weights_of(self))
        if may_run_on(self) and padded_right(mask):
            _, outputs, _ = run_gru(x, states, weights_of(self))
            last = last_or(states[0], outputs, mask)
            return last, outputs, [last]
        # The update gate opens: the state stays.
        weights = weights_of(self, [SHUT, 0.0, 0.0])
        return run_gru(with_padding_feature(x, mask), states, weights)

    def fused_packed(
        self, x: Tensor, states: list[Tensor], mask: Tensor
    ) -> Any:
        return resetting_gru(self, x, states, mask)


@export
class MaskedSimpleRNN(Recurrent, keras.layers.SimpleRNN):
    """Fully connected recurrent layer over the real steps of a sequence.

    Args:
        units: Number of units.
        *args: The remaining arguments of `keras.layers.SimpleRNN`, in its
            order.
        packed: Whether rows are packed: each sequence of a row, parted by
            padding, starts with states of 0. It needs `return_sequences`, and
            neither `return_state`, `stateful` nor `initial_state`; with
            `go_backwards` the sequences of a row are returned in reverse order
            too, and dropout is shared by them. Defaults to False.
        **kwargs: The other arguments of `keras.layers.SimpleRNN`:
            `return_sequences`, `return_state`, `go_backwards`, `stateful`,
            `dropout`, initializers, regularizers and constraints; and base
            layer arguments, such as `name` and `dtype`.

    Call arguments:
        sequences: Float tensor of shape `(batch, steps, features)`.
        initial_state: A tensor `(batch, units)`, or a list of one. Defaults to
            zeros.
        mask: Boolean tensor of shape `(batch, steps)`, True at real steps.
            Defaults to the mask that `sequences` carries, if any.
        training: Whether to apply dropout.

    Mask behavior:
        Reads: `(batch, steps)`, of any form: padding on the right, on the left
            and between real steps is skipped. With `packed` each run of real
            steps is a sequence.
        Emits: with `return_sequences` the mask it reads, reversed with
            `go_backwards`; else none: there is no step axis. States carry no
            mask.
        Empty row: 0; its states are the initial ones.
        Padding values: affect neither the output nor any gradient, even if NaN.
            The output is 0 at padding steps.

    Keras layer:
        Drops in for: `keras.layers.SimpleRNN`: the same arguments and weights,
            and without a mask the same outputs.
        Differs: padding is 0 in the output, where Keras repeats the last one;
            the mask counts with `initial_state` and is passed on in every
            version of Keras.

    Returns:
        The last real output of each row, `(batch, units)`, or with
        `return_sequences` all of them, `(batch, steps, units)`, of the compute
        dtype. With `return_state`, a tuple of it and the states after the last
        real step.

    Raises:
        MaskShapeError: If `mask` is not `(batch, steps)`.
        ValueError: If `initial_state` does not fit, a sequence with a mask is
            unrolled backwards, which Keras computes wrongly, or an argument
            excludes `packed`.

    Example:

    >>> x = np.array([[[1.0], [2.0], [np.nan]], [[1.0], [2.0], [3.0]]])
    >>> mask = np.array([[True, True, False], [True, True, True]])
    >>> rnn = keras_masking.layers.MaskedSimpleRNN(4)
    >>> padded = keras.ops.convert_to_numpy(rnn(x, mask=mask))
    >>> alone = keras.ops.convert_to_numpy(rnn(x[:1, :2]))
    >>> np.allclose(padded[:1], alone, atol=1e-6)
    True
    """
