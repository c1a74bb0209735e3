"""The line that gives an output its mask, by its number of steps."""

from keras_masking.contract.harness import batches
from keras_masking.contract.harness.layer_harness import MORE
from keras_masking.contract.harness.layer_harness import LayerHarness
from keras_masking.contract.harness.violations import CallFailed


def mask_of_steps(harness: LayerHarness, output: int) -> dict[str, str]:
    """The cause, and the line to write, if the number of steps tells them."""
    counts = []
    for more in (0, *MORE):
        batch = batches.pad(harness.batch, more)
        try:
            y = harness.run(batch).outputs[output]
        except CallFailed:
            return {}
        counts.append((batch.steps, y.shape[1]))
    line = mask_line(counts)
    if not line:
        return {}
    return {
        "cause": "`compute_mask` returns the mask of the input, or selects "
        "other steps than `call`. By the number of steps, this is the mask:",
        "right": "def compute_mask(self, x, mask=None):\n"
        f"    return None if mask is None else {line}",
    }


def mask_line(counts: list[tuple[int, int]]) -> str:
    """The mask of an output by its steps for each number of input steps.

    Empty if no window, selection or repetition gives these numbers.
    """
    longest = max(steps for steps, _ in counts)
    for strides in range(1, longest + 1):
        for kernel in range(1, longest + 1):
            if all((n - kernel) // strides + 1 == m for n, m in counts):
                if (kernel, strides) == (1, 1):
                    return "mask"
                if kernel == 1:
                    return f"mask[:, ::{strides}]"
                after = "" if strides == 1 else f", strides={strides}"
                return f"keras_masking.ops.window_mask(mask, {kernel}{after})"
        if all(strides * n == m for n, m in counts):
            return f"keras.ops.repeat(mask, {strides}, axis=1)"
    return ""
