"""Layers that take packed rows, and mix the sequences of a row."""

from typing import Any

import keras
from keras import ops

from keras_masking import ops as masked
from keras_masking.contract import Case
from tests.contract.broken import Broken
from tests.contract.layers import Layer

BROKEN: list[Broken] = []


def breaks(catches: str, **options: Any) -> Any:
    """Adds a layer class to the list; its docstring says why it is broken."""

    def register(layer: Any) -> Any:
        case = Case(layer, **options)
        also = frozenset({"packed-gradients"} - {catches})
        BROKEN.append(Broken(case, catches, layer.__doc__.strip(), also))
        return layer

    return register


def real(x: Any, mask: Any) -> Any:
    return x if mask is None else ops.where(mask[..., None], x, 0)


class Packed(Layer):
    """Says that it takes packed rows."""

    packed = True


class Segments(keras.layers.Layer):
    """Says that it pools each sequence; a sound sum, the others break it."""

    max_segments = 3

    def own(self, mask: Any) -> Any:
        """The steps of each sequence, `(batch, 3, steps, 1)`."""
        slots = ops.arange(1, 4, dtype="int32")[:, None]
        return ops.equal(masked.segment_ids(mask)[:, None], slots)[..., None]

    def call(self, x: Any, mask: Any = None) -> Any:
        mask = masked.full_mask(x) if mask is None else mask
        return self.pool(x, self.own(mask))

    def pool(self, x: Any, own: Any) -> Any:
        return ops.sum(ops.where(own, x[:, None], 0), axis=2)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        mask = masked.full_mask(x) if mask is None else mask
        return ops.any(self.own(mask)[..., 0], axis=2)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], 3, shape[2])


@breaks("packed")
class SoftmaxOfTheRow(Packed):
    """Normalizes over the whole row."""

    def call(self, x: Any, mask: Any = None) -> Any:
        return masked.masked_softmax(x, mask)


@breaks("packed")
class PositionsOfTheRow(Packed):
    """Numbers the steps on and on, where a new sequence begins too."""

    def call(self, x: Any, mask: Any = None) -> Any:
        mask = masked.full_mask(x) if mask is None else mask
        place = ops.cast(masked.position_ids(mask), x.dtype)
        return real(x + place[..., None], mask)


@breaks("packed", packed_gap=1)
class NeedsMoreGap(Layer):
    """Adds the step before the last one, which is across a gap of 1."""

    def call(self, x: Any, mask: Any = None) -> Any:
        x = real(x, mask)
        before = ops.concatenate([ops.zeros_like(x[:, :2]), x[:, :-2]], axis=1)
        return real(x + before, mask)


@breaks("segments")
class DividesByTheRow(Segments):
    """A mean that divides by the real steps of the row."""

    def pool(self, x: Any, own: Any) -> Any:
        count = ops.sum(ops.cast(own, x.dtype), axis=(1, 2))[:, None]
        return super().pool(x, own) / ops.maximum(count, 1)


@breaks("segments")
class LastSequenceFirst(Segments):
    """Fills the slots of a row from its last sequence on."""

    def pool(self, x: Any, own: Any) -> Any:
        count = ops.sum(ops.cast(ops.any(own, axis=2), "int32"), axis=1)
        y = super().pool(x, own)
        slot = ops.maximum(count - 1 - ops.arange(3, dtype="int32"), 0)
        turned = ops.take_along_axis(y, slot[..., None], axis=1)
        return ops.where(ops.any(own, axis=2), turned, 0)


@breaks("packed-gradients")
class CancelsTheRow(Packed):
    """A statistic of the row cancels in the outputs only."""

    def call(self, x: Any, mask: Any = None) -> Any:
        x = real(x, mask)
        total = ops.sum(x, axis=1, keepdims=True)
        return real(x * 2 + total - ops.stop_gradient(total), mask)


@breaks("packed-gradients")
class SharesGradients(Packed):
    """Divides the gradients by the number of sequences of a row."""

    def call(self, x: Any, mask: Any = None) -> Any:
        x = real(x, mask)
        if mask is None:
            return x * 2
        number = ops.max(masked.segment_ids(mask), axis=1)[:, None, None]
        share = x / ops.cast(ops.maximum(number, 1), x.dtype)
        return share + ops.stop_gradient(x * 2 - share)
