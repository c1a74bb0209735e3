"""Whether large padding moves real outputs by rounding alone.

A formula that mixes all steps and cancels what padding adds, such as a
convolution by FFT, leaves rounding errors of the size of the padding.
"""

from typing import Any

import numpy as np

from keras_masking.array_compare import TOLERANCE
from keras_masking.array_compare import magnitude
from keras_masking.contract.harness import batches
from keras_masking.contract.harness.batches import Batch
from keras_masking.contract.harness.compare import all_real_steps
from keras_masking.contract.harness.layer_harness import LayerHarness

LARGE = 1000.0
NEAR = (1003.0, 1007.0, 1013.0)
# A leak changes with the padding as smoothly as the layer does: from 1000 to
# 1013 by a few percent. A rounding error is another one each time.
ROUGH = 0.5


def is_rounding(harness: LayerHarness, batch: Batch, **how: Any) -> bool:
    """Whether what padding of 1000 changes is small and rough, as rounding is.

    Rounding is relative to the largest output, also at padding steps.
    """
    large = harness.run(batches.fill(batch, LARGE), **how)
    first, *near = (
        _real_changes(harness, batch, value, **how) for value in (LARGE, *NEAR)
    )
    for i, gap in enumerate(first):
        size = np.abs(gap).max(initial=0.0)
        share = TOLERANCE.get(large.dtypes[i], 0.0)
        if not size <= share * magnitude(large.outputs[i]):
            return False
        if any(np.abs(other[i] - gap).max() < ROUGH * size for other in near):
            return False
    return True


def _real_changes(
    harness: LayerHarness, batch: Batch, value: float, **how: Any
) -> list[np.ndarray]:
    """The changes of real outputs from padding of 0 to that value."""
    plain = harness.run(batches.fill(batch, 0.0), **how)
    other = harness.run(batches.fill(batch, value), **how)
    real = all_real_steps(harness, plain, batch)
    pairs = zip(plain.outputs, other.outputs, real, strict=True)
    with np.errstate(invalid="ignore"):
        gaps = [(b - a.astype("float64"), mask) for a, b, mask in pairs]
    return [gap if mask is None else gap[mask] for gap, mask in gaps]
