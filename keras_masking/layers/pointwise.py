"""Base classes of elementwise layers, whose mask has two or more axes."""

from typing import Any

from keras_masking._packing import STEPWISE
from keras_masking._packing import PackingNeed
from keras_masking._types import Tensor
from keras_masking.layers.base import KeepsDtype
from keras_masking.layers.base import MaskAware
from keras_masking.ops.dtypes import is_float


class Pointwise(MaskAware):
    """A layer whose mask has two or more of the inputs' first axes.

    A mask of segments may mark real segments, `(batch, segments)`, or their
    real steps, `(batch, segments, steps)`.
    """

    packing_need: PackingNeed | str = STEPWISE

    def mask_ndim(self, inputs: Tensor, mask: Any) -> int:
        axes = len(getattr(mask, "shape", ()))
        axes = max(2, min(axes, self.places(inputs)))
        return min(axes, len(inputs.shape))

    def places(self, inputs: Tensor) -> int:
        """The largest number of axes of a mask."""
        # Floats usually have features, and a mask of features is a mistake.
        return len(inputs.shape) - (1 if is_float(inputs) else 0)


class PointwiseOfAnyDtype(Pointwise, KeepsDtype):
    """An elementwise layer that keeps the dtype of its inputs."""
