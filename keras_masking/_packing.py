"""What a layer needs between two sequences of a packed row."""

from fractions import Fraction
from typing import NamedTuple


class PackingNeed(NamedTuple):
    """The padding that parts sequences, in steps of the layer's input.

    A layer says it by an attribute `packing_need`. If it cannot take packed
    rows, that is a string which says why.

    Attributes:
        gap: How many padding steps the layer needs itself.
        strides: Input steps from one output step to the next. Each sequence
            must start at a multiple of it.
        repeats: Output steps for each input step.
        widens: How many input steps a run of real steps is longer in the
            output, so that there is less padding; negative if shorter.
        pools: Whether the output has one entry for each sequence, a slot.
        pointwise: Whether the layer computes each step from that step alone, so
            that it may also stand after a pooling.
    """

    gap: int = 1
    strides: int = 1
    repeats: int = 1
    widens: Fraction = Fraction(0)
    pools: bool = False
    pointwise: bool = False


STEPWISE = PackingNeed(pointwise=True)


def window_need(
    size: int, strides: int, padding: str, dilation_rate: int
) -> PackingNeed:
    """The need of windows at the places of our convolutions and poolings."""
    span = (size - 1) * dilation_rate
    if padding == "valid":
        # A window with all its steps real must not jump over the gap.
        gap = dilation_rate if size > 1 else 1
        return PackingNeed(gap, strides, widens=Fraction(-span))
    left = span if padding == "causal" else max(span + 1 - strides, 0) // 2
    return PackingNeed(max(left, span - left, 1), strides)


def transposed_need(
    size: int, strides: int, padding: str, dilation_rate: int
) -> PackingNeed:
    """The same for transposed convolution."""
    beyond = max((size - 1) * dilation_rate + 1 - strides, 0)
    if padding == "valid":
        widens = Fraction(beyond, strides)
        return PackingNeed(1, 1, strides, widens)
    reach = -(-beyond // 2)
    return PackingNeed(max(-(-reach // strides), 1), 1, strides)
