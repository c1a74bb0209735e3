"""Keras' fast kernels of recurrent layers, a few steps at a time.

On PyTorch and a CPU, Keras' kernel takes each step from the sequence by an
index, whose gradient is as large as the sequence: the time of a backward pass
grows with the square of the steps. In short parts, each of which starts with
the states at the end of the one before, it grows with the steps.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_masking._arguments import is_whole
from keras_masking._backends import is_torch_tensor
from keras_masking._backends import torch_traces
from keras_masking._keras import fused_gru
from keras_masking._keras import fused_lstm
from keras_masking._types import Tensor

# Steps of a part: of 8 to 128, measured, those of 8 and 16 are fastest.
PART = 16


def run_lstm(x: Tensor, states: list[Tensor], weights: dict[str, Any]) -> Any:
    """Last output, all outputs, and the states after the last step.

    Raises `NotImplementedError` if Keras has no kernel for it.
    """
    return _run(fused_lstm, x, states, weights)


def run_gru(x: Tensor, states: list[Tensor], weights: dict[str, Any]) -> Any:
    """The same for a GRU with `reset_after`."""
    return _run(fused_gru, x, states, weights)


def gains_by_parts(x: Tensor) -> bool:
    """Whether a kernel is faster in parts."""
    if not is_torch_tensor(x) or torch_traces() or x.device.type != "cpu":
        return False
    return is_whole(x.shape[1]) and x.shape[1] > PART


def _run(
    kernel: Callable[..., Any],
    x: Tensor,
    states: list[Tensor],
    weights: dict[str, Any],
) -> Any:
    parts, outputs, last = [x], [], None
    if gains_by_parts(x):
        parts = ops.split(x, list(range(PART, x.shape[1], PART)), axis=1)
    for part in parts:
        last, y, states = kernel(
            part, *states, None, return_sequences=True, **weights
        )
        outputs.append(y)
    y = outputs[0] if len(outputs) == 1 else ops.concatenate(outputs, axis=1)
    return last, y, list(states)
