"""Layers that act on each place alone, under a mask of two axes or more."""

from typing import Any

from keras_masking._types import Tensor
from keras_masking.layers.base import KeepsDtype
from keras_masking.layers.base import MaskAware
from keras_masking.ops.dtypes import is_float


class Pointwise(MaskAware):
    """A layer whose mask has two or more of the inputs' first axes.

    Of segments a mask may say which are real, `(batch, segments)`, or which of
    their steps are, `(batch, segments, steps)`.
    """

    def mask_ndim(self, inputs: Tensor, mask: Any) -> int:
        axes = len(getattr(mask, "shape", ()))
        axes = max(2, min(axes, self.places(inputs)))
        return min(axes, len(inputs.shape))

    def places(self, inputs: Tensor) -> int:
        """How many axes a mask may have."""
        # Floats have features as a rule, and a mask of each is a mistake.
        return len(inputs.shape) - (1 if is_float(inputs) else 0)


class PointwiseOfAnyDtype(Pointwise, KeepsDtype):
    """One whose outputs have the dtype of its inputs, integers too."""
