"""Layers that act on each place alone, under a mask of any number of axes."""

from typing import Any

from keras_masking._types import Tensor
from keras_masking.layers.base import KeepsDtype
from keras_masking.layers.base import MaskAware


class Pointwise(MaskAware):
    """A layer whose mask has two or more of the inputs' first axes.

    Of segments a mask may say which are real, `(batch, segments)`, or which of
    their steps are, `(batch, segments, steps)`.
    """

    def mask_ndim(self, inputs: Tensor, mask: Any) -> int:
        rank, axes = len(inputs.shape), len(getattr(mask, "shape", ()))
        return min(rank, max(2, axes))


class PointwiseOfAnyDtype(Pointwise, KeepsDtype):
    """One whose outputs have the dtype of its inputs, integers too."""
