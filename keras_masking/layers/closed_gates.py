"""The mask of a recurrent layer as one more feature of its input.

Keras' fast kernels take no mask. The feature is 1 at padding, with a constant
row in the kernel that closes gates: exactly, and no gradient passes. A layer
holds its states at padding or, on packed rows, sets them to 0.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._backends import new_axis
from keras_masking._types import Tensor
from keras_masking.layers.kernels import run_gru
from keras_masking.layers.kernels import run_lstm
from keras_masking.ops.dtypes import cast_to
from keras_masking.ops.dtypes import dtype_name
from keras_masking.ops.masks import opposite

# The sigmoid of this is exactly 1, of its negative exactly 0, even after an
# ordinary number is added, in every float dtype.
SHUT = 1e4
SATURATING = (keras.activations.sigmoid, keras.activations.hard_sigmoid)
BOUNDED = (*SATURATING, keras.activations.tanh, keras.activations.softsign)


def may_fuse(layer: Any) -> bool:
    """Whether the fast kernel of PyTorch computes what `layer` does."""
    return (
        keras.backend.backend() == "torch"
        and getattr(layer, "use_cudnn", False) is not False
        and not layer.recurrent_dropout
        and getattr(layer, "reset_after", True)
    )


def saturates(layer: Any) -> bool:
    """Whether a large number closes the gates of `layer` exactly."""
    return layer.recurrent_activation in SATURATING


def may_run_on(layer: Any) -> bool:
    """Whether states stay finite at padding, even if no gate is closed.

    Others may grow there without end, and 0 times infinity is NaN in gradients.
    """
    return layer.activation in BOUNDED


def with_feature(x: Tensor, marked: Tensor) -> Tensor:
    """`x` with one more feature, which is 1 at marked steps and else 0."""
    feature = cast_to(marked, dtype_name(x))
    return ops.concatenate([x, new_axis(feature, 2)], axis=-1)


def with_padding_feature(x: Tensor, mask: Tensor) -> Tensor:
    """`x` with one more feature, which is 1 at padding and else 0."""
    return with_feature(x, opposite(mask))


def weights_of(layer: Any, gates: list[float] | None = None) -> dict[str, Any]:
    """The arguments of a kernel of Keras that describe the cell of `layer`.

    Args:
        layer: A recurrent layer.
        gates: What a further feature, 1 at padding, adds to each gate, in
            Keras' order. Defaults to None: there is no such feature.
    """
    cell = layer.cell
    kernel = ops.convert_to_tensor(cell.kernel)
    if gates is not None:
        row = np.repeat(gates, layer.units).reshape(1, -1)
        row = ops.convert_to_tensor(row, dtype=dtype_name(kernel))
        kernel = ops.concatenate([kernel, row], axis=0)
    return {
        "kernel": kernel,
        "recurrent_kernel": cell.recurrent_kernel,
        "bias": cell.bias,
        "activation": cell.activation,
        "recurrent_activation": cell.recurrent_activation,
    }


def resetting_lstm(
    layer: Any, x: Tensor, states: list[Tensor], mask: Tensor
) -> Any:
    """An LSTM on Keras' kernel, with states of 0 at padding."""
    # Without input and memory c is 0, without output h is.
    weights = weights_of(layer, [-SHUT, -SHUT, 0.0, -SHUT])
    x = with_padding_feature(x, mask)
    return run_lstm(x, states, weights)


def resetting_gru(
    layer: Any, x: Tensor, states: list[Tensor], mask: Tensor
) -> Any:
    """A GRU with `reset_after` on Keras' kernel, with states of 0 at padding.

    Raises `NotImplementedError` if the activation of 0 is not 0.
    """
    if np.any(ops.convert_to_numpy(layer.activation(ops.zeros(1)))):
        raise NotImplementedError
    # Without an update h is the activation of its input alone, here of 0.
    weights = weights_of(layer, [-SHUT, -SHUT, 0.0])
    x = with_padding_feature(x, mask)
    if layer.use_bias:
        # So its bias is one more feature, which is 1 at real steps.
        x = with_feature(x, mask)
        biases = ops.convert_to_tensor(weights["bias"])
        given = np.ones((2, 3 * layer.units))
        given[0, -layer.units :] = 0.0
        kept = ops.convert_to_tensor(given, dtype=dtype_name(biases))
        row = (biases * (1.0 - kept))[:1]
        kernel = [weights["kernel"], cast_to(row, dtype_name(x))]
        weights["kernel"] = ops.concatenate(kernel, axis=0)
        weights["bias"] = biases * kept
    return run_gru(x, states, weights)
