"""Layers that break what a single eager call can show.

Two at least for each check: a blatant bug, and one that somebody could write
without seeing it.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_masking._keras import get_mask
from keras_masking._keras import set_mask
from keras_masking.contract import Case
from tests.contract.broken import Broken
from tests.contract.layers import IDS
from tests.contract.layers import Layer
from tests.contract.layers import Pool
from tests.contract.layers import X
from tests.contract.layers import Y

BROKEN: list[Broken] = []

# Where a mask does not reach the formula, these follow.
LEAKS = ("pad-value", "empty-row", "large-values")
# Where lengths are compared, at other sizes too.
LENGTHS = ("alone-equals-batched", "pad-length", "equal-sizes")


def breaks(
    catches: str,
    also: tuple[str, ...] = (),
    backends: tuple[str, ...] = ("tensorflow", "torch", "jax"),
    **options: Any,
) -> Any:
    """Adds a layer class to the list; its docstring says why it is broken."""

    def register(layer: Any) -> Any:
        case = Case(layer, **options)
        why = layer.__doc__.strip()
        BROKEN.append(Broken(case, catches, why, frozenset(also), backends))
        return layer

    return register


class Merge(keras.layers.Layer):
    """Takes a list of two inputs; real is what is real in both."""

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = [m for m in mask or () if m is not None]
        if not masks:
            return None
        return masks[0] if len(masks) == 1 else ops.logical_and(*masks)


def as_float(mask: Any, x: Any) -> Any:
    """The mask as factors `(batch, steps, 1)`."""
    return ops.cast(mask, x.dtype)[:, :, None]


def upcast_half(x: Any) -> Any:
    return ops.cast(x, "float32")


def zeroed(x: Any, mask: Any) -> Any:
    return x if mask is None else ops.where(mask[:, :, None], x, 0.0)


def count(x: Any, mask: Any) -> Any:
    """The number of real steps, `(batch, 1)`."""
    if mask is None:
        return upcast_half(ops.shape(x)[1])
    return ops.sum(upcast_half(mask), axis=1, keepdims=True)


def mean(x: Any, mask: Any) -> Any:
    """The mean over real steps, as it should be."""
    real = ops.sum(upcast_half(zeroed(x, mask)), axis=1)
    return ops.cast(real / ops.maximum(count(x, mask), 1.0), x.dtype)


# Can it be called?


@breaks("runs-with-mask")
class AddsTheMask(Layer):
    """Uses a mask as if it had a feature axis."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return inputs
        return inputs + (1.0 - ops.cast(mask, inputs.dtype)) * -1e9


@breaks("runs-with-mask")
class ExpandsTheWrongAxis(Layer):
    """Puts the new axis of the mask in the middle."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return inputs
        return ops.where(ops.expand_dims(mask, 1), inputs, 0.0)


@breaks("runs-without-mask", also=("precision",))
class InsistsOnAMask(Layer):
    """Never checks whether the mask is None."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return ops.where(mask[:, :, None], inputs, 0.0)


@breaks("runs-without-mask", also=("compute-mask-signature", "precision"))
class ShapesNothing(Layer):
    """`call` minds a missing mask, `compute_mask` does not."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return zeroed(inputs, mask)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask[:, :]


@breaks("runs-without-mask", requires_mask=True, reason="its author thought so")
class InsistsOnNothing(Layer):
    """Is declared to require a mask, and does not."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return zeroed(inputs, mask)


@breaks("declares-support", also=("no-destroy-warning",))
class NeverDeclares(keras.layers.Layer):
    """Takes a mask and says nothing about it."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return mean(inputs, mask)


@breaks("declares-support", also=("no-destroy-warning",))
class DeclaresTooEarly(keras.layers.Layer):
    """Sets the flag before Keras sets it back."""

    def __init__(self, **kwargs: Any) -> None:
        self.supports_masking = True
        super().__init__(**kwargs)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return mean(inputs, mask)


@breaks("mask-arg-reachable", also=LEAKS, inputs=(X, Y))
class OneMaskForTwo(Pool):
    """Keras does not fill `mask` where two arguments are tensors."""

    def call(self, query: Any, value: Any, mask: Any = None) -> Any:
        return mean(query, mask) + mean(value, mask)


@breaks("mask-arg-reachable", also=LEAKS)
class OtherName(Pool):
    """Keras knows no `padding_mask`."""

    def call(self, inputs: Any, padding_mask: Any = None) -> Any:
        return mean(inputs, padding_mask)


@breaks("mask-arg-reachable", also=LEAKS, inputs=(X, Y))
class Plural(Pool):
    """The second mask is named after no argument."""

    def call(
        self,
        query: Any,
        value: Any,
        query_mask: Any = None,
        values_mask: Any = None,
    ) -> Any:
        return mean(query, query_mask) + mean(value, values_mask)


@breaks("compute-mask-signature", also=("runs-with-mask", "runs-without-mask"))
class TakesNoMask(Layer):
    """`compute_mask` has no place for the mask."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0

    def compute_mask(self, inputs: Any) -> Any:
        return None


@breaks(
    "compute-mask-signature",
    also=("declares-support", "mask-kept", "no-destroy-warning"),
)
class TakesItByName(keras.layers.Layer):
    """The mask is keyword-only, and masking is switched off for the error."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = False

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0

    def compute_mask(self, inputs: Any, *, mask: Any = None) -> Any:
        return mask


@breaks("input-not-mutated")
class DeletesTheMask(Pool):
    """Takes the mask off its caller's tensor, as Keras' attention does."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        set_mask(inputs, None)
        return mean(inputs, mask)


@breaks("input-not-mutated")
class WritesTheMask(Layer):
    """Narrows the mask of its caller's tensor down to its own."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            known = ops.any(inputs != 0.0, axis=-1)
            set_mask(inputs, ops.logical_and(mask, known))
        return inputs * 2.0


@breaks("input-not-mutated", backends=("torch",))
class AddsInPlace(Layer):
    """`+=` writes into the caller's tensor."""

    def call(self, inputs: Any) -> Any:
        inputs += 1.0
        return inputs * 2.0


@breaks("repeatable", also=("all-true-is-no-op", "precision"))
class KeepsTheMask(Pool):
    """Goes on with the mask of an earlier call."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.last = None

    def call(self, inputs: Any, mask: Any = None) -> Any:
        self.last = mask if mask is not None else self.last
        return mean(inputs, self.last)


@breaks("repeatable", also=("functional", "no-mask-in-none-out"))
class KeepsTheOutputMask(Layer):
    """`compute_mask` returns what `call` stored."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.out = None

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            self.out = mask
        return inputs * 2.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.out


# Which masks come out?


@breaks("role-consistent", role="passes")
class PoolsButPasses(Pool):
    """Declared to pass its mask, and takes the steps away."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return mean(inputs, mask)


@breaks("role-consistent", role="drops")
class PassesButDrops(Layer):
    """Declared to drop its mask, but passes it on."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0


@breaks("role-consistent", role="generates", inputs=IDS)
class MakesNoMask(Layer):
    """Declared to make a mask, and passes on what it gets."""

    def call(self, inputs: Any) -> Any:
        return ops.cast(inputs, "float32")[:, :, None] * 2.0


@breaks("role-consistent", role="generates", inputs=IDS)
class MasksOnlyMasked(Layer):
    """Makes its mask only if the input has one already."""

    def call(self, inputs: Any) -> Any:
        return ops.cast(inputs, "float32")[:, :, None] * 2.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return None
        return ops.logical_and(mask, ops.not_equal(inputs, 0))


@breaks("no-mask-in-none-out")
class MakesAllTrue(Layer):
    """Makes a mask out of nothing."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return zeroed(inputs, mask)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        full = ops.ones_like(inputs[..., 0], dtype="bool")
        return full if mask is None else mask


@breaks("no-mask-in-none-out", inputs=[X, Y])
class FillsInMasks(Merge):
    """Makes up what an input lacks, even if all inputs lack it."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs[0] + inputs[1]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        full = ops.ones_like(inputs[0][..., 0], dtype="bool")
        masks = [full if m is None else m for m in mask or (None, None)]
        return ops.logical_and(*masks)


@breaks("mask-kept", also=("no-destroy-warning",))
class Scales(keras.layers.Layer):
    """A pointwise layer whose author never thought of masks."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0


@breaks("mask-kept")
class ReturnsNone(Layer):
    """Uses the mask, and forgets to hand it on."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return zeroed(inputs, mask)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


@breaks("mask-kept", also=("functional",))
class NarrowsTheMask(Layer):
    """Calls a step of zeros padding."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        outputs = inputs * 2.0
        if mask is not None:
            some = ops.any(inputs != 0.0, axis=-1)
            set_mask(outputs, ops.logical_and(mask, some))
        return outputs


@breaks("mask-dropped")
class PoolsAndKeeps(Layer):
    """Hands a mask of steps on that are gone."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return mean(inputs, mask)


@breaks("mask-dropped")
class SequenceAndState(Layer):
    """Returns a sequence and its mean, and a mask for both."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs * 2.0, mean(inputs, mask)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else (mask, mask)


@breaks("mask-shape")
class EverySecond(Layer):
    """Takes every second step, but passes the whole mask on."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs[:, ::2] * 2.0


@breaks("mask-shape")
class OffByOne(Layer):
    """A window of three steps takes two away, the mask loses one."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        x = zeroed(inputs, mask)
        return x[:, :-2] + x[:, 1:-1] + x[:, 2:]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else mask[:, 1:]


class Stacks(Layer):
    """Puts two steps into one, and leaves out an odd last one."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        x = zeroed(inputs, mask)
        end = ops.shape(x)[1] // 2 * 2
        return ops.concatenate([x[:, :end:2], x[:, 1:end:2]], axis=-1)


@breaks("mask-shape")
class StacksAlone(Stacks):
    """Stacks two steps, and passes the whole mask on."""


@breaks("mask-shape")
class StacksAndSelects(Stacks):
    """Stacks two steps; the mask of every second one fits even lengths."""

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else mask[:, ::2]


@breaks("mask-shape")
class WithFeatureAxis(Layer):
    """The returned mask is the one cast for arithmetic."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs * 2.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else mask[:, :, None]


@breaks("mask-dtype", also=("mixed-precision",))
class FloatMask(Layer):
    """The mask comes out cast for arithmetic."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else ops.cast(mask, "float32")


@breaks("mask-dtype", also=("mixed-precision",), inputs=[X, Y])
class MultipliesMasks(Merge):
    """The product of two masks as integers."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs[0] + inputs[1]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        both = super().compute_mask(inputs, mask)
        return None if both is None else ops.cast(both, "int32")


@breaks("mask-structure", also=("mask-kept",))
class OneMaskForBoth(Layer):
    """Two outputs, and Keras gives the one mask to the first."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0, inputs * 3.0


@breaks("mask-structure", also=("mask-kept", "mask-dropped"))
class StateFirst(Layer):
    """The mask of the sequence lands on the state, which comes first."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return mean(inputs, mask), inputs * 2.0


@breaks(
    "mask-truth",
    also=("mask-combined", *LEAKS),
    inputs=IDS,
)
class PaddingMask(keras.layers.Layer):
    """True where it is padding."""

    def call(self, inputs: Any) -> Any:
        return ops.cast(inputs, "float32")[:, :, None] * 2.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        own = ops.equal(inputs, 0)
        return own if mask is None else ops.logical_not(mask)


@breaks("mask-truth", also=LEAKS)
class Reverses(Layer):
    """Turns the steps round, and not the mask."""

    def call(self, inputs: Any) -> Any:
        return ops.flip(inputs, axis=1)


@breaks("explicit-equals-attached")
class ReadsTheTensor(Pool):
    """Takes the mask off the tensor, whatever its caller says."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return mean(inputs, get_mask(inputs))


@breaks("explicit-equals-attached")
class OutputReadsTheTensor(Layer):
    """`call` honours the argument, `compute_mask` looks at the tensor."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return zeroed(inputs, mask)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return get_mask(inputs)


@breaks("explicit-equals-attached")
class AttachedWins(Pool):
    """Where there are both, the one that the tensor carries wins."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        carried = get_mask(inputs)
        return mean(inputs, mask if carried is None else carried)


@breaks("all-true-is-no-op")
class HalvesMasked(Layer):
    """The masked path has a factor of its own."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs if mask is None else zeroed(inputs, mask) * 0.5


@breaks("all-true-is-no-op")
class AddsEpsilon(Pool):
    """The masked path guards its division, and the other one does not."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.mean(inputs, axis=1)
        real = ops.sum(upcast_half(zeroed(inputs, mask)), axis=1)
        return real / (count(inputs, mask) + 1e-3)


@breaks("mask-dtype-tolerant")
class NeedsBooleans(Layer):
    """Refuses a mask of numbers."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None and "bool" not in str(mask.dtype):
            raise TypeError("the mask must be boolean")
        return zeroed(inputs, mask)


@breaks("mask-dtype-tolerant")
class InvertsBits(Layer):
    """`~1` is -2, which is true."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return inputs
        return ops.where((~mask)[:, :, None], 0.0, inputs)


@breaks("no-destroy-warning", role="drops")
class DropsSilently(keras.layers.Layer):
    """Drops the mask on purpose, and lets Keras warn of it."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0


@breaks("no-destroy-warning", also=("grad-nan-padding",))
class InnerWarns(Layer):
    """An inner layer ignores masks, though this one passes its mask on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = keras.layers.EinsumDense("btf,fg->btg", (None, 4))

    def build(self, shape: Any) -> None:
        self.inner.build(shape)

    def call(self, inputs: Any) -> Any:
        return self.inner(inputs)


@breaks("mask-combined", inputs=IDS)
class ForgetsTheMask(keras.layers.Layer):
    """Calls every id but 0 real, even where the input says padding."""

    def call(self, inputs: Any) -> Any:
        return ops.cast(inputs, "float32")[:, :, None] * 2.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0)


@breaks("mask-combined", inputs=IDS)
class EitherMask(keras.layers.Layer):
    """Takes a step for real if it or the input's mask says so."""

    def call(self, inputs: Any) -> Any:
        return ops.cast(inputs, "float32")[:, :, None] * 2.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        own = ops.not_equal(inputs, 0)
        return own if mask is None else ops.logical_or(own, mask)


# Values at padding steps.


@breaks("pad-value", also=LEAKS)
class Averages(Pool):
    """Gets no mask and means over everything."""

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=1)


@breaks("pad-value", also=LEAKS)
class WeakBias(Pool):
    """A bias of -100 is no minus infinity."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        scores = ops.sum(inputs, axis=-1, keepdims=True)
        if mask is not None:
            scores = scores + (1.0 - as_float(mask, inputs)) * -100.0
        weights = ops.softmax(scores, axis=1)
        return ops.sum(zeroed(weights * inputs, mask), axis=1)


@breaks(
    "pad-value",
    also=("nan-padding", "large-values", "precision", "grad-zero-at-padding"),
)
class ByFourier(Layer):
    """To frequencies and back: large padding moves real steps by rounding."""

    def call(self, inputs: Any) -> Any:
        steps = inputs.shape[1]
        x = ops.cast(ops.transpose(inputs, (0, 2, 1)), "float32")
        x = ops.irfft(ops.rfft(x, fft_length=steps), fft_length=steps)
        return ops.cast(ops.transpose(x, (0, 2, 1)), inputs.dtype)


@breaks("pad-value", also=LEAKS)
class LeaksAtLast(Layer):
    """A share of 1e-8 of all steps, which only large padding shows."""

    def call(self, inputs: Any) -> Any:
        total = ops.sum(upcast_half(inputs), axis=1, keepdims=True)
        return inputs + ops.cast(1e-8 * total, inputs.dtype)


@breaks("pad-value", also=LEAKS)
class LeaksAboveALimit(Layer):
    """Adds a little where any step is above five hundred."""

    def call(self, inputs: Any) -> Any:
        large = ops.max(inputs, axis=1, keepdims=True) > 500.0
        return inputs + ops.cast(ops.where(large, 1e-3, 0.0), inputs.dtype)


class Scores(Layer):
    """Sound attention of a sequence to itself; scores come beside it."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        x = zeroed(inputs, mask)
        scores = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
        weights = ops.softmax(self.masked(scores, mask, -float("inf")))
        # A row without a real step gives NaN.
        weights = ops.where(ops.isnan(weights), 0.0, weights)
        shown = self.shown(weights, scores, mask)
        return ops.matmul(weights, x), ops.expand_dims(shown, 1)

    def masked(self, scores: Any, mask: Any, value: Any) -> Any:
        return (
            scores if mask is None else ops.where(mask[:, None], scores, value)
        )

    def shown(self, weights: Any, scores: Any, mask: Any) -> Any:
        return weights

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask, None


@breaks("pad-value", also=LEAKS)
class ScoresOfPadding(Scores):
    """The weights that it returns are those of a softmax without the mask."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        outputs, _ = super().call(inputs, mask)
        scores = ops.matmul(inputs, ops.transpose(inputs, (0, 2, 1)))
        return outputs, ops.expand_dims(ops.softmax(scores), 1)


@breaks("pad-value", also=("empty-row",))
class ScoresOfMinusInfinity(Scores):
    """Returns the scores before the softmax, masked."""

    def shown(self, weights: Any, scores: Any, mask: Any) -> Any:
        return self.masked(scores, mask, -float("inf"))


@breaks("pad-length", also=LENGTHS)
class ScoresBySteps(Scores):
    """Divides what it returns by the padded number of keys."""

    def shown(self, weights: Any, scores: Any, mask: Any) -> Any:
        return weights / upcast_half(ops.shape(scores)[-1])


@breaks("nan-padding", also=("precision",))
class Multiplies(Pool):
    """0 * NaN is NaN."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.mean(inputs, axis=1)
        real = ops.sum(upcast_half(inputs * as_float(mask, inputs)), axis=1)
        return real / ops.maximum(count(inputs, mask), 1.0)


@breaks("nan-padding", also=("grad-nan-padding", "mixed-precision"))
class WeighsWithZero(Pool):
    """The scores are selected; the values meet a weight of 0."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        scores = ops.sum(zeroed(inputs, mask), axis=-1, keepdims=True)
        if mask is not None:
            scores = ops.where(mask[:, :, None], scores, -1e9)
            inputs = ops.where(ops.any(mask, 1)[:, None, None], inputs, 0.0)
        return ops.sum(ops.softmax(scores, axis=1) * inputs, axis=1)


@breaks("pad-value", also=LEAKS, mask_argument="padding_mask")
class IgnoresItsArgument(keras.layers.Layer):
    """Takes a mask as an argument, and means over everything."""

    def call(self, inputs: Any, padding_mask: Any = None) -> Any:
        return ops.mean(inputs, axis=1)


@breaks(
    "nan-padding",
    also=("precision",),
    inputs={"ones": (IDS > 0).astype("int32"), "values": X},
    mask_argument="ones",
)
class MultipliesByAnInput(keras.layers.Layer):
    """0 * NaN is NaN; the mask is one of the inputs."""

    def call(self, inputs: Any) -> Any:
        values, ones = inputs["values"], inputs["ones"]
        real = ops.sum(values * ops.cast(ones, values.dtype)[..., None], axis=1)
        return real / ops.maximum(count(values, ones), 1.0)


def up_to_the_last(mask: Any) -> Any:
    """The real steps and the padding before the last of them."""
    behind = ops.cumsum(ops.flip(ops.cast(mask, "int32"), axis=1), axis=1)
    return ops.flip(behind, axis=1) > 0


@breaks("nan-padding", also=("grad-nan-padding",))
class MultipliesInside(Pool):
    """Replaces padding on the right, and multiplies what is left of it."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return mean(inputs, None)
        x = zeroed(inputs, up_to_the_last(mask)) * as_float(mask, inputs)
        real = ops.sum(upcast_half(x), axis=1)
        return ops.cast(
            real / ops.maximum(count(inputs, mask), 1.0), inputs.dtype
        )


@breaks("nan-padding", also=("grad-nan-padding",))
class RunningSum(Layer):
    """A running sum, in which a hole is multiplied by 0."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        x = inputs
        if mask is not None:
            x = zeroed(inputs, up_to_the_last(mask)) * as_float(mask, inputs)
        return ops.cast(ops.cumsum(upcast_half(x), axis=1), inputs.dtype)


@breaks("pad-value-training")
class Normalizes(Layer):
    """In training its mean is taken over padding too."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        return inputs - ops.mean(inputs, axis=(0, 1))


@breaks("pad-value-training")
class HalfMaskedStatistics(Layer):
    """The mean knows the mask, the variance does not."""

    def call(
        self, inputs: Any, mask: Any = None, training: bool = False
    ) -> Any:
        if not training:
            return inputs
        centre = ops.mean(mean(inputs, mask), axis=0)
        spread = ops.mean(ops.square(inputs - centre), axis=(0, 1))
        return (inputs - centre) / ops.sqrt(spread + 1e-3)


@breaks("mask-position", also=(*LENGTHS, "grad-zero-at-padding"))
class FirstSteps(Pool):
    """Counts the real steps and takes so many from the left."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.mean(inputs, axis=1)
        steps = upcast_half(ops.arange(ops.shape(inputs)[1]))
        return mean(inputs, steps[None, :] < count(inputs, mask))


@breaks("mask-position", also=(*LENGTHS, "grad-zero-at-padding"))
class LastByLength(Pool):
    """The last step is at the length, if padding is on the right."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return inputs[:, -1]
        length = ops.sum(ops.cast(mask, "int32"), axis=1)
        index = ops.maximum(length - 1, 0)[:, None, None]
        last = ops.take_along_axis(inputs, index, axis=1)[:, 0]
        return ops.where(length[:, None] > 0, last, 0.0)


def extent(mask: Any) -> Any:
    """The steps from the first to the last real one."""
    turned = ops.flip(up_to_the_last(ops.flip(mask, axis=1)), axis=1)
    return ops.logical_and(up_to_the_last(mask), turned)


@breaks("mask-position")
class DividesByTheExtent(Pool):
    """Right for right and left padding; a hole counts as a zero."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return mean(inputs, None)
        return mean(zeroed(inputs, mask), extent(mask))


@breaks("mask-position")
class MaximumOfTheExtent(Pool):
    """Right for right and left padding; a hole counts as a zero."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.max(inputs, axis=1)
        within = extent(mask)[:, :, None]
        x = ops.where(within, zeroed(inputs, mask), -np.inf)
        return zeroed_rows(ops.max(x, axis=1), mask)


@breaks("mask-position")
class LastOfTheExtent(Pool):
    """The last real step is where the first and the count say, or a hole."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return inputs[:, -1]
        ones = ops.cast(mask, "int32")
        last = ops.argmax(ones, axis=1) + ops.sum(ones, axis=1) - 1
        last = ops.maximum(last, 0)[:, None, None]
        x = zeroed(inputs, mask)
        return ops.take_along_axis(x, last, axis=1)[:, 0]


def zeroed_rows(x: Any, mask: Any) -> Any:
    return ops.where(ops.any(mask, axis=1, keepdims=True), x, 0.0)


@breaks("empty-row")
class DividesByZero(Pool):
    """A row of padding has no real step to divide by."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        real = ops.sum(upcast_half(zeroed(inputs, mask)), axis=1)
        return real / count(inputs, mask)


@breaks("empty-row")
class TakesTheFirst(Pool):
    """The first real step of none is step 0, which is padding."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return inputs[:, 0]
        first = ops.argmax(ops.cast(mask, "int32"), axis=1)[:, None, None]
        return ops.take_along_axis(inputs, first, axis=1)[:, 0]


@breaks("large-values", also=("nan-padding", "grad-nan-padding"))
class SmallBias(Pool):
    """A bias of -10000 is less than what real inputs hold."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        scores = ops.mean(inputs, axis=-1, keepdims=True)
        if mask is not None:
            scores = scores + (1.0 - as_float(mask, inputs)) * -1e4
        weights = ops.softmax(scores, axis=1)
        return ops.sum(zeroed(weights * inputs, mask), axis=1)


@breaks("large-values", also=("mixed-precision", "precision"))
class RawExponential(Pool):
    """The masked softmax forgets to take its maximum out."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        scores = ops.mean(zeroed(inputs, mask), axis=-1, keepdims=True)
        if mask is None:
            weights = ops.softmax(scores, axis=1)
        else:
            weights = zeroed(ops.exp(scores), mask)
            total = ops.sum(weights, axis=1, keepdims=True)
            weights = weights / ops.maximum(total, 1e-9)
        return ops.sum(weights * zeroed(inputs, mask), axis=1)


# Several inputs.


@breaks("different-masks", inputs=[X, Y])
class EitherIsReal(Merge):
    """Adds two inputs; real is what is real in one of them."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs[0] + inputs[1]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = [m for m in mask or () if m is not None]
        if not masks:
            return None
        return masks[0] if len(masks) == 1 else ops.logical_or(*masks)


@breaks("different-masks", inputs=[X, Y])
class FirstMaskCounts(Merge):
    """Pools two inputs by the mask of the first that has one."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        known = [m for m in mask or () if m is not None]
        first = known[0] if known else None
        return mean(inputs[0], first) + mean(inputs[1], first)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


@breaks("partial-masks", inputs=[X, Y])
class AllOrNone(Merge):
    """One input without a mask, and the others' is lost."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs[0] + inputs[1]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None or any(m is None for m in mask):
            return None
        return ops.logical_and(*mask)


@breaks("partial-masks", inputs=[X, Y])
class AllTrueInstead(Merge):
    """One input without a mask, and every step is marked as real."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return ops.concatenate(inputs, axis=-1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = [m for m in mask or () if m is not None]
        if not masks:
            return None
        if len(masks) == 1:
            return ops.ones_like(masks[0])
        return ops.logical_and(*masks)


# More padding, other rows.


@breaks("pad-length", also=LENGTHS)
class DividesByAllSteps(Pool):
    """The sum of real steps by the number of all steps."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        steps = ops.cast(ops.shape(inputs)[1], inputs.dtype)
        return ops.sum(zeroed(inputs, mask), axis=1) / steps


@breaks("pad-length-training")
class CountsZeros(Layer):
    """Writes zeros at padding steps, and counts them in its mean."""

    def call(
        self, inputs: Any, mask: Any = None, training: bool = False
    ) -> Any:
        x = zeroed(inputs, mask)
        return x - ops.mean(x, axis=(0, 1)) if training else x


@breaks("pad-length-training")
class NormalizesSegments(Layer):
    """A wrapper that folds the steps: the layer inside gets zeros, no mask."""

    def build(self, shape: Any) -> None:
        self.inner = keras.layers.BatchNormalization()
        self.inner.build((None, *shape[2:]))

    def call(
        self, inputs: Any, mask: Any = None, training: bool = False
    ) -> Any:
        x = zeroed(inputs, mask)
        rows = ops.reshape(x, (-1, *ops.shape(x)[2:]))
        rows = self.inner(rows, training=training)
        return zeroed(ops.reshape(rows, ops.shape(x)), mask)


@breaks("pad-length-training")
class KeepsTheMeanOfAll(Layer):
    """What it gives in training is right, what it keeps counts padding."""

    def build(self, shape: Any) -> None:
        self.mean = self.add_weight(
            shape=shape[-1:], initializer="zeros", trainable=False
        )

    def call(
        self, inputs: Any, mask: Any = None, training: bool = False
    ) -> Any:
        x = zeroed(inputs, mask)
        if training:
            mean = ops.cast(ops.mean(x, axis=(0, 1)), self.mean.dtype)
            self.mean.assign(0.9 * self.mean + 0.1 * mean)
        return x


@breaks("pad-length", also=LENGTHS)
class CountsFromTheLeft(Layer):
    """Adds the column to each step, padding on the left included."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        column = ops.arange(ops.shape(inputs)[1])[None, :, None]
        return inputs + 0.1 * ops.cast(column, inputs.dtype)


@breaks("alone-equals-batched", also=LENGTHS)
class MaximumOfZeros(Pool):
    """Padding counts as 0, more than all steps of a negative row."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return ops.max(zeroed(inputs, mask), axis=1)


@breaks("alone-equals-batched", also=LENGTHS)
class AnyOfTheWindow(Layer):
    """A window is marked as real if one of its steps is."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        x = zeroed(inputs, mask)
        return x[:, :-1] + x[:, 1:]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return None
        return ops.logical_or(mask[:, :-1], mask[:, 1:])


@breaks("equal-sizes")
class FindsTheAxisBySize(Pool):
    """Looks for the step axis by its size, and finds the batch."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.mean(inputs, axis=1)
        axis = list(inputs.shape).index(mask.shape[1])
        real = ops.sum(upcast_half(zeroed(inputs, mask)), axis=axis)
        return real / ops.maximum(count(inputs, mask), 1.0)


@breaks("equal-sizes")
class TriesTheMask(Layer):
    """Expands the mask only where it does not fit as it is."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return inputs
        fits = mask.shape == inputs.shape[1:]
        return ops.where(mask if fits else mask[:, :, None], inputs, 0.0)


@breaks("batch-independence", also=(*LENGTHS, "grad-nan-padding"))
class DividesByTheLargest(Layer):
    """Scales by the largest value of the batch."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs / (1.0 + ops.max(ops.abs(zeroed(inputs, mask))))


@breaks("batch-independence", also=LENGTHS)
class ByTheLongest(Pool):
    """Weighs a row by its length, compared to the longest of the batch."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        pooled = mean(inputs, mask)
        if mask is None:
            return pooled
        longest = ops.max(count(inputs, mask))
        share = count(inputs, mask) / ops.maximum(longest, 1.0)
        return pooled * ops.cast(share, pooled.dtype)
