"""Broken in graphs, nested, saved, in gradients, half precision, training."""

import keras
import numpy as np
from keras import ops

from keras_masking._keras import set_mask
from keras_masking.contract import Case
from tests.contract.broken import Broken
from tests.contract.layers import Layer

GRAPHS = ("tensorflow", "jax")


def spread(mask, x):
    return (
        ops.ones(ops.shape(x)[:2], "bool")[..., None]
        if mask is None
        else (ops.expand_dims(mask, -1))
    )


def real(x, mask):
    return x if mask is None else ops.where(mask[..., None], x, 0)


def count(x, mask):
    """The number of real steps, at least one."""
    number = ops.sum(ops.cast(spread(mask, x), "float32"), axis=1)
    return ops.cast(ops.maximum(number, 1), x.dtype)


def mean(x, mask):
    total = ops.sum(ops.cast(real(x, mask), "float32"), axis=1)
    return ops.cast(total / ops.cast(count(x, mask), "float32"), x.dtype)


class Pooled(Layer):
    """A sound masked mean; the others break it."""

    def call(self, x, mask=None):
        return mean(x, mask)

    def compute_mask(self, x, mask=None):
        return None


# Symbolic, Functional, graph, compiled.


class MaskSetInCall(keras.layers.Layer):
    def call(self, x, mask=None):
        y = x * 2
        if mask is not None:
            set_mask(y, mask)
        return y


class MaskOnlyOfTensors(Layer):
    def call(self, x):
        return x * 2

    def compute_mask(self, x, mask=None):
        return mask if ops.is_tensor(mask) else None


class OldShape(Layer):
    def call(self, x):
        return x * 2

    def compute_output_shape(self, input_shape):
        return tuple(input_shape.as_list())


class MaskOnSelf(Layer):
    def call(self, x, mask=None):
        self.last_mask = mask
        return x * 2

    def compute_mask(self, x, mask=None):
        return self.last_mask


class AsksForValues(Pooled):
    def call(self, x, mask=None):
        if mask is None or bool(ops.all(mask)):
            return mean(x, None)
        return mean(x, mask)


class TrainsByDefault(Layer):
    def call(self, x, training=True):
        return x * 0.5 if training else x


class FastInference(Pooled):
    def call(self, x, mask=None, training=None):
        if training is False:
            return ops.mean(x, axis=1)
        return mean(x, mask)


class EagerOnly(Pooled):
    def call(self, x, mask=None):
        try:
            np.asarray(x)
        except Exception:  # a graph
            return ops.mean(x, axis=1)
        return mean(x, mask)


class ThroughNumPy(Pooled):
    def call(self, x, mask=None):
        import tensorflow as tf

        if mask is not None:
            x = tf.numpy_function(
                lambda a, m: np.where(m[..., None], a, a.dtype.type(0)),
                [x, mask],
                x.dtype,
            )
            x = tf.ensure_shape(x, [None, None, self.features])
        return ops.sum(x, axis=1)

    def build(self, shape):
        self.features = shape[-1]


class Ragged(Pooled):
    def call(self, x, mask=None):
        if mask is None:
            return ops.sum(x, axis=1)
        import tensorflow as tf

        lengths = tf.reduce_sum(tf.cast(mask, "int32"), axis=1)
        rows = tf.RaggedTensor.from_row_lengths(x[mask], lengths)
        return tf.reduce_sum(rows, axis=1)


class AsksIfItCan(Pooled):
    def call(self, x, mask=None):
        try:
            full = mask is None or bool(ops.all(mask))
        except Exception:  # a graph
            full = True
        return mean(x, None if full else mask)


# Lengths, nesting, saving.


class MaskByStaticLength(Layer):
    def call(self, x):
        return x * 2

    def compute_mask(self, x, mask=None):
        return None if mask is None else mask[:, : x.shape[1] // 1]


class BuildsByLength(Layer):
    def build(self, shape):
        fan = shape[1] * shape[2]
        self.w = self.add_weight(
            shape=(shape[2],),
            initializer=keras.initializers.RandomNormal(stddev=fan**-0.5),
        )

    def call(self, x):
        return x * self.w


class DividesByBuiltSteps(Pooled):
    """Padding changes nothing: it divides by the steps of the first call."""

    def build(self, shape):
        self.steps = shape[1] or 1

    def call(self, x, mask=None):
        total = ops.sum(ops.cast(real(x, mask), "float32"), axis=1)
        return ops.cast(total / self.steps, x.dtype)


class MeanOfBuiltSteps(Pooled):
    """Right with a mask; without one it divides by the steps it was built for.

    Built without a number of steps, it looks at its input.
    """

    def build(self, shape):
        self.steps = shape[1]

    def call(self, x, mask=None):
        if mask is not None or self.steps is None:
            return mean(x, mask)
        total = ops.sum(ops.cast(x, "float32"), axis=1)
        return ops.cast(total / self.steps, x.dtype)


class OutermostOnly(Pooled):
    def call(self, x, mask=None):
        if "/" in self.path:  # the block around it has masked
            return ops.mean(x, axis=1)
        return mean(x, mask)


class TableOfFirstCall(Layer):
    table = None

    def call(self, x):
        if self.table is None:
            self.table = ops.arange(x.shape[-1], dtype="float32")
        return x + ops.cast(self.table, x.dtype)


class FlagFromOutside(keras.layers.Layer):
    def call(self, x):
        return x * 2


def flagged():
    layer = FlagFromOutside()
    layer.supports_masking = True
    return layer


class ForgetsScale(Layer):
    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, x):
        return x * self.scale

    def get_config(self):
        return super().get_config()


class ForgetsClip(Layer):
    """Its config has one of its two arguments."""

    def __init__(self, scale=2.0, clip=None, **kwargs):
        super().__init__(**kwargs)
        self.scale, self.clip = scale, clip

    def call(self, x):
        y = x * self.scale
        return y if self.clip is None else ops.clip(y, -self.clip, self.clip)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


class ForgetsRate(keras.layers.Dense):
    """A layer of Keras' with an argument more, used in training alone."""

    def __init__(self, units=3, rate=0.0, **kwargs):
        super().__init__(units, **kwargs)
        self.rate = rate

    def call(self, x, training=None):
        return super().call(x) * (1 - self.rate if training else 1)


class ForgetsEmptyValue(Pooled):
    """The example has no empty row, so that no output shows the argument."""

    def __init__(self, empty_value=0.0, **kwargs):
        super().__init__(**kwargs)
        self.empty_value = empty_value

    def call(self, x, mask=None):
        empty = ops.logical_not(ops.any(spread(mask, x), axis=1))
        return ops.where(empty, self.empty_value, super().call(x, mask))

    def get_config(self):
        return super().get_config()


class ForgetsMode(Layer):
    """Its mode is one of two words that nobody can guess."""

    def __init__(self, mode="forth", **kwargs):
        super().__init__(**kwargs)
        if mode not in ("forth", "back"):
            raise ValueError(f"unknown mode {mode!r}")
        self.mode = mode

    def call(self, x):
        return x * 2.0 if self.mode == "forth" else x / 2.0

    def get_config(self):
        return super().get_config()


class NoConfigOfItsOwn(Layer):
    """Keras' config has a name only for `name` or `**kwargs`, spelled so."""

    def __init__(self, scale=2.0, **options):
        super().__init__(**options)
        self.scale = scale

    def call(self, x):
        return x * self.scale


class ForgetsName(Layer):
    def call(self, x):
        return x * 2.0

    def get_config(self):
        return {}


# Gradients.


class LogOfProduct(Layer):
    def call(self, x, mask=None):
        held = ops.cast(spread(mask, x), x.dtype)
        return ops.where(spread(mask, x), ops.log(ops.sigmoid(x) * held), 0)


class Deviation(Pooled):
    def call(self, x, mask=None):
        off = real(x - mean(x, mask)[:, None], mask)
        return ops.sqrt(mean(off * off, mask))


class StraightThroughSum(Pooled):
    def call(self, x, mask=None):
        return ops.sum(x + ops.stop_gradient(real(x, mask) - x), axis=1)


class TinyWeight(Pooled):
    def call(self, x, mask=None):
        weight = ops.cast(spread(mask, x), x.dtype) + 1e-9
        return ops.sum(x * weight, axis=1) / ops.sum(weight, axis=1)


class PenaltyOfAllSteps(Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        y = x * self.w
        self.add_loss(0.1 * ops.mean(ops.square(y)))
        return y


class HardAttention(Pooled):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 1))

    def call(self, x, mask=None):
        scores = ops.matmul(x, self.w)
        soft = ops.softmax(scores, axis=1)
        masked = ops.softmax(ops.where(spread(mask, x), scores, -1e9), axis=1)
        weight = soft + ops.stop_gradient(masked - soft)
        return ops.sum(real(x, mask) * weight, axis=1)


class QuotientBehindWhere(Pooled):
    def call(self, x, mask=None):
        held = ops.cast(spread(mask, x), x.dtype)
        number, total = ops.sum(held, axis=1), ops.sum(x * held, axis=1)
        return ops.where(number > 0, total / number, 0)


class SoftmaxOfNothing(Pooled):
    def call(self, x, mask=None):
        m = spread(mask, x)
        bias = ops.cast(ops.where(m, 0.0, -np.inf), x.dtype)
        weight = ops.softmax(x + bias, axis=1)
        weight = ops.where(ops.any(m, axis=1, keepdims=True), weight, 0)
        return ops.sum(real(x, mask) * weight, axis=1)


class SelectsAfterWeights(Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 5))

    def call(self, x, mask=None):
        return real(ops.matmul(x, self.w), mask)


class GateOfAll(Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], shape[-1]))

    def call(self, x, mask=None):
        return real(x, mask) * ops.sigmoid(ops.matmul(x, self.w))


# Half precision.


class MaskInComputeDtype(Layer):
    def call(self, x):
        return x * 2

    def compute_mask(self, x, mask=None):
        if mask is None or self.compute_dtype == "float32":
            return mask
        return ops.cast(mask, self.compute_dtype)


class HugeConstant(Layer):
    def call(self, x, mask=None):
        padding = ops.cast(ops.logical_not(spread(mask, x)), x.dtype)
        huge = ops.cast(ops.convert_to_tensor(1e9), x.dtype)
        return ops.softmax(x - padding * huge, axis=1)


class TinyEpsilon(Pooled):
    """1e-9 keeps an empty row from 0 / 0, and is 0 in float16."""

    def call(self, x, mask=None):
        if mask is None:
            return mean(x, None)
        share = ops.cast(spread(mask, x), x.dtype)
        weight = share / (
            ops.sum(share, axis=1, keepdims=True) + ops.cast(1e-9, x.dtype)
        )
        return ops.sum(real(x, mask) * weight, axis=1)


class FiniteInfinity(Pooled):
    """-1e9 hides padding, and is -inf in float16: -inf less -inf is NaN."""

    def call(self, x, mask=None):
        hidden = ops.cast(ops.convert_to_tensor(-1e9), x.dtype)
        scores = ops.where(spread(mask, x), real(x, mask), hidden)
        weight = ops.exp(scores - ops.max(scores, axis=1, keepdims=True))
        weight = weight / ops.sum(weight, axis=1, keepdims=True)
        return ops.sum(weight * real(x, mask), axis=1)


class SumsInHalf(Pooled):
    def call(self, x, mask=None):
        if mask is None:
            return ops.mean(x, axis=1)
        return ops.sum(real(x, mask), axis=1) / count(x, mask)


class SquareOfMean(Pooled):
    def call(self, x, mask=None):
        if mask is None:
            return ops.cast(ops.var(ops.cast(x, "float32"), axis=1), x.dtype)
        return mean(x * x, mask) - mean(x, mask) ** 2


# Training.


class RootOfZero(Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1],), initializer="zeros")

    def call(self, x):
        return x * (1 + ops.sqrt(self.w))


class WeightsAfterQuotient(Pooled):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 5))

    def call(self, x, mask=None):
        number = ops.sum(ops.cast(spread(mask, x), x.dtype), axis=1)
        y = ops.matmul(ops.sum(real(x, mask), axis=1) / number, self.w)
        return ops.where(number > 0, y, 0)


class MaskForTrainingOnly(Layer):
    seen = None

    def call(self, x, training=None):
        self.seen = training
        return x * 2

    def compute_mask(self, x, mask=None):
        return None if self.seen is False else mask


class NothingByNothing(Layer):
    def call(self, x, mask=None):
        x = real(x, mask)
        size = ops.sqrt(ops.sum(x * x, axis=-1, keepdims=True) + 1e-2)
        held = ops.cast(spread(mask, x), x.dtype)
        return x / (size * held)


GRADIENTS = {
    "grad-empty-row",
    "grad-finite",
    "grad-nan-padding",
    "grad-pad-value",
    "grad-zero-at-padding",
}
BROKEN = [
    Broken(
        Case(MaskSetInCall),
        "symbolic-mask",
        "`call` writes the mask on its output",
        also={"functional", "no-destroy-warning", "declares-support"},
    ),
    Broken(
        Case(MaskOnlyOfTensors),
        "symbolic-mask",
        "`compute_mask` knows no symbolic mask",
        also={"functional"},
    ),
    Broken(
        Case(OldShape),
        "functional",
        "`compute_output_shape` expects the shape of Keras 2",
        also={"symbolic-mask", "nested"},
    ),
    Broken(
        Case(MaskOnSelf),
        "functional",
        "`compute_mask` returns what `call` kept",
        also={"symbolic-mask"},
    ),
    Broken(
        Case(AsksForValues),
        "functional",
        "`bool` of a tensor",
        also={"symbolic-mask", *GRADIENTS},
        backends=GRAPHS,
    ),
    Broken(Case(TrainsByDefault), "graph", "`training` is True by default"),
    Broken(
        Case(FastInference), "graph", "inference has a path without the mask"
    ),
    Broken(
        Case(EagerOnly),
        "graph",
        "right where values can be read",
        also=GRADIENTS,
        backends=("tensorflow",),
    ),
    Broken(
        Case(AsksIfItCan),
        "graph",
        "guesses where values cannot be read",
        also=GRADIENTS,
        backends=("tensorflow",),
    ),
    Broken(
        Case(EagerOnly),
        "jit",
        "right where values can be read",
        also=GRADIENTS,
        backends=("jax",),
    ),
    Broken(
        Case(AsksIfItCan),
        "jit",
        "guesses where values cannot be read",
        also=GRADIENTS,
        backends=("jax",),
    ),
    Broken(
        Case(ThroughNumPy),
        "jit",
        "NumPy in a graph",
        backends=("tensorflow",),
    ),
    Broken(
        Case(Ragged),
        "jit",
        "a shape that depends on values",
        also={"mask-dtype-tolerant", "precision"},
        backends=("tensorflow",),
    ),
    Broken(
        Case(MaskByStaticLength),
        "dynamic-time",
        "`compute_mask` divides a length that is None",
    ),
    Broken(
        Case(BuildsByLength),
        "dynamic-time",
        "`build` multiplies a length that is None",
        also={"grad-nan-padding"},
    ),
    Broken(
        Case(DividesByBuiltSteps),
        "dynamic-time",
        "divides by the number of steps that it was built for",
    ),
    Broken(
        Case(MeanOfBuiltSteps),
        "dynamic-time",
        "the same, without a mask only",
    ),
    Broken(Case(OutermostOnly), "nested", "masks only when it is outermost"),
    Broken(
        Case(TableOfFirstCall),
        "nested",
        "keeps a tensor of a symbolic call",
        also={"dynamic-time", "save-load"},
    ),
    Broken(
        Case(flagged, name="FlagFromOutside"),
        "save-load",
        "`supports_masking` is set from outside",
    ),
    Broken(
        Case(lambda: ForgetsScale(3.0), name="ForgetsScale"),
        "save-load",
        "`get_config` forgets an argument",
    ),
    Broken(
        Case(ForgetsScale, name="ForgetsDefault"),
        "save-load",
        "`get_config` forgets an argument, and this case has its default",
    ),
    Broken(Case(ForgetsClip), "save-load", "`get_config` forgets one of two"),
    Broken(
        Case(ForgetsRate),
        "save-load",
        "the config is that of the class above, without the new argument",
        also={"grad-nan-padding"},  # as any Dense
    ),
    Broken(
        Case(ForgetsEmptyValue),
        "save-load",
        "`get_config` forgets an argument that no output shows",
    ),
    Broken(
        Case(ForgetsMode),
        "save-load",
        "`get_config` forgets an argument whose values are not known",
    ),
    Broken(
        Case(NoConfigOfItsOwn),
        "save-load",
        "the class has no `get_config`, so the name is lost",
    ),
    Broken(
        Case(ForgetsName),
        "save-load",
        "`get_config` is not that of the parent, so the name is lost",
    ),
    Broken(
        Case(LogOfProduct),
        "grad-finite",
        "log(0) hidden by a `where`",
        also={"grad-empty-row", "grad-zero-at-padding"},
    ),
    Broken(
        Case(Deviation),
        "grad-finite",
        "the root of a variance of 0",
        also={"grad-nan-padding", "grad-empty-row"},
    ),
    Broken(
        Case(StraightThroughSum),
        "grad-zero-at-padding",
        "the gradient goes past the mask",
        also={"grad-empty-row", "nan-padding", "grad-nan-padding"},
    ),
    Broken(
        Case(TinyWeight),
        "grad-zero-at-padding",
        "padding weighs next to nothing",
        also={"empty-row", "mixed-precision", "nan-padding"},
    ),
    Broken(
        Case(PenaltyOfAllSteps),
        "grad-pad-value",
        "a penalty of the values at padding",
        also={"grad-empty-row", "grad-nan-padding", "grad-zero-at-padding"},
    ),
    Broken(
        Case(HardAttention),
        "grad-pad-value",
        "the gradient is that of a softmax over all steps",
        also={
            "grad-nan-padding",
            "grad-zero-at-padding",
            "mixed-precision",  # -1e9 is -inf in float16
            "nan-padding",
        },
    ),
    Broken(
        Case(QuotientBehindWhere),
        "grad-empty-row",
        "0 / 0 hidden by `where`",
        also={"nan-padding"},
    ),
    Broken(
        Case(SoftmaxOfNothing),
        "grad-empty-row",
        "a softmax of nothing but -inf",
        also={"nan-padding", "grad-nan-padding"},
    ),
    Broken(
        Case(SelectsAfterWeights),
        "grad-nan-padding",
        "padding is selected away after the weights",
    ),
    Broken(
        Case(GateOfAll), "grad-nan-padding", "the gate has seen the padding"
    ),
    Broken(
        Case(MaskInComputeDtype),
        "mixed-precision",
        "the mask is cast with the values",
    ),
    Broken(
        Case(HugeConstant),
        "mixed-precision",
        "a constant beyond float16",
        also={"grad-nan-padding", "nan-padding"},
    ),
    Broken(
        Case(TinyEpsilon),
        "mixed-precision",
        "an epsilon below float16, in an empty row",
    ),
    Broken(
        Case(FiniteInfinity),
        "mixed-precision",
        "a constant beyond float16, in an empty row",
    ),
    Broken(Case(SumsInHalf), "precision", "a sum in float16"),
    Broken(Case(SquareOfMean), "precision", "the mean of squares in float16"),
    Broken(
        Case(RootOfZero),
        "trains",
        "the root of a weight of 0",
        also={"grad-empty-row", "grad-finite", "grad-nan-padding"},
    ),
    Broken(
        Case(WeightsAfterQuotient),
        "trains",
        "0 / 0 before the weights",
        also={"grad-empty-row"},
    ),
    Broken(
        Case(MaskForTrainingOnly),
        "loss-ignores-padding",
        "passes the mask on in training only",
    ),
    Broken(
        Case(NothingByNothing),
        "loss-ignores-padding",
        "0 / 0 at padding",
        also={"empty-row"},
    ),
]
