"""Which axes of an output are steps.

A sequence has its steps on axis 1. Scores of attention have steps on two axes,
those of the queries and those of the keys, for example `(batch, heads, target,
source)`.
"""

from collections.abc import Callable

from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.violations import CallFailed
from keras_masking.layer_calls import CallOutputs

# For each axis of steps of an output, the input whose steps they are.
StepAxes = dict[int, int]


def find_step_axes(
    batch: Batch, more: int, run: Callable[[Batch], CallOutputs]
) -> list[StepAxes]:
    """The axes of each output that grow with `more` steps of the inputs.

    Axis 1 is one as well if the output carries a mask of that shape. Of a layer
    with one output, an axis beside axis 1 counts only together with it: the
    layer has lost its sequence, and returns no scores beside one.
    """
    base = run(batch)
    try:
        longest = run(batches.pad(batch, more))
    except CallFailed:
        longest = None
    masked = [i for i, mask in enumerate(batch.masks) if mask is not None]
    found: list[StepAxes] = []
    for i, (y, mask) in enumerate(zip(base.outputs, base.masks)):
        if longest is None:
            grown = [1] if y.shape[1:2] == (batch.steps,) else []
        else:
            wide = longest.outputs[i].shape
            grown = [
                k for k in range(1, y.ndim) if wide[k:][:1] != y.shape[k:][:1]
            ]
        if mask is not None and mask.shape == y.shape[:2] and 1 not in grown:
            grown = [1, *grown]
        if len(base.outputs) == 1 and 1 not in grown:
            grown = []
        found.append(dict.fromkeys(grown, masked[0]))
    if len(masked) > 1 and any(list(axes) not in ([], [1]) for axes in found):
        _find_inputs(found, base, batch, more, run, masked)
    return found


def _find_inputs(
    found: list[StepAxes],
    base: CallOutputs,
    batch: Batch,
    more: int,
    run: Callable[[Batch], CallOutputs],
    masked: list[int],
) -> None:
    """Replaces the input of each axis by the one that alone makes it grow."""
    for leaf in masked[1:]:
        try:
            wide = run(batches.pad(batch, more, only=leaf))
        except CallFailed:
            continue  # its inputs must have equal lengths
        for axes, y, longer in zip(found, base.outputs, wide.outputs):
            for axis in axes:
                if longer.shape[axis] != y.shape[axis]:
                    axes[axis] = leaf
