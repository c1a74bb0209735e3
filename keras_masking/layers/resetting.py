"""Recurrent layers on packed rows: states of 0 where a sequence begins."""

from typing import Any

import keras
from keras import ops

from keras_masking._keras import run_cell
from keras_masking._types import Tensor
from keras_masking.errors import describe
from keras_masking.layers.closed_gates import with_feature
from keras_masking.ops.dtypes import zero_unless
from keras_masking.ops.runs import run_ends
from keras_masking.ops.runs import run_starts

# What a layer must be so that sequences share no state and no output.
NEEDED = {"return_sequences": True, "return_state": False, "stateful": False}


def check_no_shared_states(caller: str, layer: Any) -> None:
    """Refuses a packed layer that returns or keeps one state for a row."""
    for name, value in NEEDED.items():
        if getattr(layer, name) is not value:
            raise ValueError(
                describe(
                    caller,
                    f"`packed` needs `{name}={value}`: a row has several "
                    "sequences, each with its own states and last output.",
                    "Take the last outputs with `LastStep(max_segments=n)`.",
                    packed=True,
                    **{name: getattr(layer, name)},
                )
            )


def resetting_loop(
    layer: Any,
    sequences: Tensor,
    initial_state: Any,
    mask: Tensor,
    training: bool | None,
) -> Any:
    """Like `layer.inner_loop`, with states of 0 where a run begins."""
    begins = (run_ends if layer.go_backwards else run_starts)(mask)

    def step(inputs: Tensor, states: Any) -> Any:
        goes_on = ops.equal(inputs[:, -1:], 0)
        # Selected, so that a NaN of one sequence stays there.
        states = [zero_unless(goes_on, state) for state in states]
        return layer.cell(inputs[:, :-1], states, training=training)

    return run_cell(
        step,
        with_feature(sequences, begins),
        keras.tree.flatten(initial_state),
        go_backwards=layer.go_backwards,
        unroll=layer.unroll,
        input_length=sequences.shape[1],
        return_all_outputs=True,
    )
