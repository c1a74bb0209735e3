"""Layers that keep the contract, some in unusual ways: no check may fail.

Keras' own that deserve it, with what they leave undone by design, and layers
that strangers could write.
"""

from typing import Any

import keras
import numpy as np
from keras import layers
from keras import ops

from keras_masking import ops as masked
from keras_masking._keras import get_mask
from keras_masking.contract import Case
from tests.contract.layers import IDS
from tests.contract.layers import Layer
from tests.contract.layers import Pool
from tests.contract.layers import X
from tests.contract.layers import Y

SHORTER = Y[:, :5]

FORGETS = {
    "mask-combined": "makes a new mask, whatever its input carries: "
    "by design in Keras"
}

KERAS = [
    Case(lambda: layers.Dense(3)),
    Case(lambda: layers.Activation("relu")),
    Case(layers.ReLU),
    Case(layers.LayerNormalization),
    Case(layers.BatchNormalization),
    Case(lambda: layers.Dropout(0.5)),
    Case(lambda: layers.SpatialDropout1D(0.5)),
    Case(
        lambda: layers.Embedding(7, 4, mask_zero=True),
        inputs=IDS,
        expected_failures=FORGETS,
    ),
    Case(layers.Masking, expected_failures=FORGETS),
    Case(
        layers.Multiply,
        inputs=[X, Y],
        expected_failures={
            "partial-masks": "loses its mask beside an input without one"
        },
    ),
    Case(lambda: layers.TimeDistributed(layers.Dense(3))),
    # Its symbolic output is of no known number of steps.
    Case(
        lambda: layers.EinsumDense("bsf,fg->bsg", (None, 3)),
        expected_failures={
            "mask-kept": "drops the mask in Keras",
            "no-destroy-warning": "and Keras says so",
        },
    ),
]
# They take seconds to compile, on JAX for every new shape.
SLOW = [
    Case(
        lambda: layers.GroupQueryAttention(2, 2, 1),
        inputs=(X, SHORTER),
        expected_failures={
            "nan-padding": "its weight at padding is 0, and 0 * NaN is NaN",
            "no-destroy-warning": "layers inside it know no masks",
        },
    ),
    Case(lambda: layers.SimpleRNN(3)),
    Case(lambda: layers.LSTM(3, return_sequences=True), name="LSTM-sequences"),
    Case(lambda: layers.LSTM(3)),
    Case(lambda: layers.GRU(3, return_sequences=True), name="GRU-sequences"),
    Case(
        lambda: layers.SimpleRNN(3, return_state=True, return_sequences=True),
        name="SimpleRNN-states",
    ),
    Case(lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True))),
]
STATEFUL = Case(
    lambda: layers.SimpleRNN(3, stateful=True, return_sequences=True),
    name="SimpleRNN-stateful",
)
STRANGE: list[Case] = []


def sound(**options: Any) -> Any:
    """Adds a layer class to the list."""

    def register(layer: Any) -> Any:
        STRANGE.append(Case(layer, **options))
        return layer

    return register


@sound()
class KeywordOnly(Pool):
    """The mask of `call` is keyword-only, and the input has a short name."""

    def call(self, x: Any, *, mask: Any = None) -> Any:
        return masked.masked_mean(x, mask)


@sound()
class OtherNames(Layer):
    """`compute_mask` calls its mask as Keras itself does."""

    def call(self, sequence: Any) -> Any:
        return sequence[:, :, :2]

    def compute_mask(self, sequence: Any, previous_mask: Any) -> Any:
        return previous_mask


@sound()
class Flagged(Pool):
    """Has a switch that is called after masks."""

    def call(self, inputs: Any, mask: Any = None, use_mask: Any = True) -> Any:
        return masked.masked_max(inputs, mask if use_mask else None)


@sound()
class PaddingMask(Layer):
    """Takes `padding_mask`, else the mask of its input, as KerasHub does."""

    def call(self, inputs: Any, padding_mask: Any = None) -> Any:
        mask = get_mask(inputs) if padding_mask is None else padding_mask
        mean = masked.masked_mean(inputs, mask, keepdims=True)
        return inputs - mean


class NoConfig(Pool):
    """Cannot be saved."""

    def __init__(self, power: Any) -> None:
        super().__init__()
        self.power = power

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return masked.masked_mean(ops.abs(inputs) ** self.power, mask)

    def get_config(self) -> Any:
        raise NotImplementedError


STRANGE.append(Case(lambda: NoConfig(np.float32(2.0))))


@sound()
class CountsCalls(Layer):
    """Has a state that each call changes and that nothing depends on."""

    def build(self, shape: Any) -> None:
        self.calls = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False
        )

    def call(self, inputs: Any) -> Any:
        self.calls.assign_add(1)
        return inputs * 2.0


@sound()
class NoisyMean(Pool):
    """Drops steps in training, from a seed of its own."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dropout = keras.layers.Dropout(0.5, seed=3)

    def call(
        self, inputs: Any, mask: Any = None, training: bool = False
    ) -> Any:
        inputs = self.dropout(inputs, training=training)
        return masked.masked_mean(inputs, mask)


@sound()
class Largest(Layer):
    """The index of the largest feature: integers, which have no gradient."""

    def call(self, inputs: Any) -> Any:
        return ops.argmax(inputs, axis=-1)


@sound()
class Normalization(Layer):
    """Learned scale and centre; statistics of the real steps of a row."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=shape[-1:], initializer="ones")
        self.centre = self.add_weight(shape=shape[-1:], initializer="zeros")

    def call(self, inputs: Any, mask: Any = None) -> Any:
        dtype = inputs.dtype
        x = ops.cast(inputs, "float32")
        x = x - masked.masked_mean(x, mask, keepdims=True)
        spread = masked.masked_mean(ops.square(x), mask, keepdims=True)
        x = ops.cast(x / ops.sqrt(spread + 1e-3), dtype)
        return x * ops.cast(self.scale, dtype) + ops.cast(self.centre, dtype)


@sound(inputs={"first": X, "second": Y})
class Dicts(keras.layers.Layer):
    """A dict in and a dict out, with a mask for one of the outputs."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        total = inputs["first"] + inputs["second"]
        return {
            "sum": total,
            "mean": masked.masked_mean(total, self._both(mask)),
        }

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return {"sum": self._both(mask), "mean": None}

    def _both(self, mask: Any) -> Any:
        masks = [m for m in (mask or {}).values() if m is not None]
        if not masks:
            return None
        return masks[0] if len(masks) == 1 else ops.logical_and(*masks)


@sound(inputs=(X, SHORTER))
class TwoTensors(Layer):
    """Adds to each step of one sequence the mean of another."""

    def call(
        self,
        query: Any,
        value: Any,
        query_mask: Any = None,
        value_mask: Any = None,
    ) -> Any:
        return query + masked.masked_mean(value, value_mask, keepdims=True)


@sound(inputs=(X, SHORTER))
class TwoMeans(Pool):
    """Two sequences in, two vectors out."""

    def call(
        self,
        left: Any,
        right: Any,
        left_mask: Any = None,
        right_mask: Any = None,
    ) -> Any:
        return (
            masked.masked_mean(left, left_mask),
            masked.masked_mean(right, right_mask),
        )


@sound()
class SequenceAndState(Layer):
    """Returns a sequence and a state, and a mask for the sequence."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return inputs * 2.0, masked.last_step(inputs, mask)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask, None


@sound()
class Attends(Layer):
    """Returns a sequence and `(batch, heads, target, source)` scores."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        x = inputs
        if mask is not None:
            x = ops.where(mask[:, :, None], inputs, 0.0)
        heads = ops.stack([x, 2.0 * x], axis=1)
        scores = ops.matmul(heads, ops.transpose(heads, (0, 1, 3, 2)))
        if mask is not None:
            # A query at padding sees the same keys: its scores are not zero.
            scores = ops.transpose(scores, (0, 3, 1, 2))
            scores = masked.masked_softmax(scores, mask, axis=1)
            scores = ops.transpose(scores, (0, 2, 3, 1))
        else:
            scores = ops.softmax(scores)
        return ops.sum(ops.matmul(scores, heads), axis=1), scores

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask, None


@sound(inputs=(X, SHORTER), role="drops")
class Distances(Layer):
    """Of two sequences, the gap of each pair of steps; no mask fits it."""

    def call(self, a: Any, b: Any) -> Any:
        return ops.mean(a[:, :, None] - b[:, None], axis=-1)

    def compute_mask(self, a: Any, b: Any, mask: Any = None) -> Any:
        return None


@sound()
class PooledScores(Pool):
    """Two weighted means, and the weights `(batch, 2, steps)`."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        weights = masked.masked_softmax(inputs[:, :, :2], mask, axis=1)
        weights = ops.transpose(weights, (0, 2, 1))
        x = inputs
        if mask is not None:
            x = ops.where(mask[:, :, None], inputs, 0.0)
        return ops.matmul(weights, x), weights

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None, None


@sound()
class Twice(Layer):
    """Repeats each step, and says so in `compute_output_shape`."""

    def call(self, inputs: Any) -> Any:
        return ops.repeat(inputs, 2, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else ops.repeat(mask, 2, axis=1)

    def compute_output_shape(self, shape: Any) -> Any:
        steps = None if shape[1] is None else 2 * shape[1]
        return (shape[0], steps, *shape[2:])


@sound()
class TwoStepsAtLeast(Layer):
    """Adds the step before, and refuses sequences of one step."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if inputs.shape[1] is not None and inputs.shape[1] < 2:
            raise ValueError("at least two steps are needed")
        x = inputs
        if mask is not None:
            x = ops.where(mask[:, :, None], inputs, 0.0)
        before = ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))
        return x + before


@sound()
class ShiftsRight(Layer):
    """Each step is the one before it, the first is zero, as decoders start."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        x = inputs
        if mask is not None:
            x = ops.where(mask[:, :, None], inputs, 0.0)
        return ops.pad(x[:, :-1], ((0, 0), (1, 0), (0, 0)))


@sound(role="drops")
class Drops(keras.layers.Layer):
    """Says that it drops the mask, to Keras and to the kit."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2.0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


@sound(inputs=np.stack([X, Y], axis=-1))
class Rank4(Pool):
    """Steps of matrices."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return masked.masked_mean(inputs, mask)


@sound(inputs=X[:, :, 0])
class Rank2(Pool):
    """Steps of plain numbers."""

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return masked.masked_sum(inputs, mask)


@sound(inputs=X, call_kwargs={"scale": np.array([1.0, 2.0, 3.0], "float32")})
class ScaledRows(Pool):
    """An array beside the inputs, with a value for each row."""

    def call(
        self, inputs: Any, scale: Any = None, inputs_mask: Any = None
    ) -> Any:
        pooled = masked.masked_mean(inputs, inputs_mask)
        return pooled * ops.cast(scale, pooled.dtype)[:, None]


@sound()
class WritesItsWeight(Layer):
    """In training it writes a weight that it trains: a spectral norm does."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.scale.assign(self.scale * 0.5)
        return inputs * self.scale


@sound()
class Renamed(Layer):
    """Its config spells an argument in another way."""

    def __init__(self, factor: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x: Any) -> Any:
        return x * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(factor=config.pop("scale"), **config)


@sound()
class MadeWith(Layer):
    """Arguments that are needed to make it, and are not in its config.

    Values to start with are weights later, a seed is saved with them, and
    what prints is kept as a function.
    """

    def __init__(
        self,
        start: float = 1.0,
        seed: int | None = None,
        verbose: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.initializer = keras.initializers.Constant(start)
        self.log = print if verbose else None
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(), initializer=self.initializer)

    def call(self, x: Any, training: bool | None = None) -> Any:
        y = x * self.scale
        if not training:
            return y
        return keras.random.dropout(y, 0.5, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


@sound()
class Around(layers.Wrapper):
    """A wrapper with arguments of its own, in the config of Keras' making."""

    def __init__(
        self, layer: Any = None, scale: float = 2.0, **kwargs: Any
    ) -> None:
        super().__init__(layer or layers.Dense(3), **kwargs)
        self.scale = scale
        self.supports_masking = True

    def call(self, x: Any) -> Any:
        return self.layer(x) * self.scale

    def compute_output_shape(self, shape: Any) -> Any:
        return self.layer.compute_output_shape(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


@sound()
class Automatic(Layer):
    """Has no config of its own: Keras makes one of what it was given."""

    def __init__(self, scale: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, x: Any) -> Any:
        return x * self.scale


@sound()
class OfSixSteps(Layer):
    """Made for one number of steps, and refuses any other."""

    def call(self, inputs: Any) -> Any:
        if inputs.shape[1:] != (6, 4):
            raise ValueError("six steps of four features are needed")
        return inputs * 2.0


@sound(mask_argument="padding_mask")
class ByArgument(keras.layers.Layer):
    """Takes its mask by an argument alone, as backbones do."""

    def call(self, inputs: Any, padding_mask: Any = None) -> Any:
        return masked.masked_mean(inputs, padding_mask)


@sound(inputs=[X, (IDS > 0).astype("int32")], mask_argument=1)
class ByElement(keras.layers.Layer):
    """Its mask is one of its inputs, and holds 0 and 1."""

    def call(self, inputs: Any) -> Any:
        values, ones = inputs
        return masked.masked_max(values, ops.cast(ones, "bool"))


@sound(
    call_kwargs={"attention_mask": np.where(IDS > 0, 0.0, -1e9)[:, None]},
    mask_argument="attention_mask",
)
class Additive(keras.layers.Layer):
    """Adds a mask `(batch, 1, steps)` to its scores."""

    def call(self, inputs: Any, attention_mask: Any = None) -> Any:
        scores = ops.matmul(inputs, ops.transpose(inputs, (0, 2, 1)))
        if attention_mask is None:
            return ops.matmul(ops.softmax(scores), inputs)
        real = attention_mask[:, 0] == 0
        scores = masked.masked_softmax(
            ops.transpose(scores, (0, 2, 1)), real, axis=1
        )
        values = ops.where(real[:, :, None], inputs, 0)
        return ops.matmul(ops.transpose(scores, (0, 2, 1)), values)


@sound(inputs=[X, X[:, 0]], sequences=[0])
class Modulated(Layer):
    """Scales a sequence by a vector of features for each row."""

    def call(self, inputs: Any) -> Any:
        values, scale = inputs
        return values * scale[:, None]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else mask[0]


STRANGE.append(
    Case(
        lambda: layers.Dense(3),
        name="Dense-of-segments",
        inputs=np.stack([X, Y], axis=2),
    )
)
