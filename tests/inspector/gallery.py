"""Models whose faults are known, with what the inspector must say of them.

Rows of Keras' own ways of losing a mask, and models that are right. Each
function builds a model; `CASES` has the findings, as (name of the layer,
verdict), in order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from keras_masking import layers
from keras_masking.probes import attach

VERSION = tuple(int(n) for n in keras.version().split(".")[:2])
IDS = np.array(
    [[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 0, 0], [8, 9, 7, 0, 0, 0]], "int32"
)
SIZE = 8


@dataclass(frozen=True)
class Case:
    """A model, its inputs, and what must be found."""

    make: Callable[[], Any]
    findings: list[tuple[str, str]]
    inputs: Callable[[], Any] = lambda: IDS

    @property
    def name(self) -> str:
        return self.make.__name__


CASES: list[Case] = []


def case(
    *findings: tuple[str, str], inputs: Callable[[], Any] = lambda: IDS
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        CASES.append(Case(make, list(findings), inputs))
        return make

    return register


def tokens() -> tuple[Any, Any]:
    ids = keras.Input((None,), dtype="int32")
    return ids, kl.Embedding(10, SIZE, mask_zero=True, name="tokens")(ids)


def pooled(ids: Any, x: Any) -> keras.Model:
    return keras.Model(ids, kl.GlobalAveragePooling1D(name="pool")(x))


def post_norm(attention: Any, add: Any, x: Any, block: int) -> Any:
    """A block of the textbook transformer."""
    heard = attention(2, 4, name=f"attention_{block}")(x, x)
    x = add(name=f"add_{block}")([x, heard])
    x = kl.LayerNormalization(name=f"norm_{block}")(x)
    x2 = kl.Dense(SIZE, activation="relu", name=f"dense_{block}")(x)
    return add(name=f"add2_{block}")([x, x2])


@case(("attention_1", "deletes"))
def transformer() -> Any:
    ids, x = tokens()
    for block in (1, 2):
        x = post_norm(kl.MultiHeadAttention, kl.Add, x, block)
    return pooled(ids, x)


@case()
def our_transformer() -> Any:
    ids, x = tokens()
    for block in (1, 2):
        x = post_norm(
            layers.MaskedMultiHeadAttention, layers.MaskedAdd, x, block
        )
    return pooled(ids, x)


@case()
def pre_norm() -> Any:
    ids, x = tokens()
    n = kl.LayerNormalization()(x)
    x = kl.Add()([x, kl.MultiHeadAttention(2, 4)(n, n)])
    return pooled(ids, x)


@case(("multiply", "drops"))
def operator() -> Any:
    ids, x = tokens()
    return pooled(ids, x * 2)


class Columns(kl.Layer):
    """The number of each column."""

    def call(self, inputs: Any) -> Any:
        return ops.arange(ops.shape(inputs)[1])[None] + ops.zeros_like(inputs)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


@case(("add", "drops"))
def positions() -> Any:
    ids, x = tokens()
    p = kl.Embedding(64, SIZE, name="positions")(Columns()(ids))
    return pooled(ids, kl.Add(name="add")([x, p]))


@case(("norm", "leaks"))
def group_normalization() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.GroupNormalization(2, name="norm")(x))


@case(("conv", "leaks"))
def convolution() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.Conv1D(4, 3, padding="same", name="conv")(x))


@case(("conv", "drops"))  # its windows of real steps only are right
def valid_convolution() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.Conv1D(4, 3, name="conv")(x))


@case(("reshape", "drops"))
def reshape() -> Any:
    ids, x = tokens()
    x = kl.Reshape((-1, SIZE, 1), name="reshape")(x)
    x = kl.Reshape((-1, SIZE), name="back")(x)
    return pooled(ids, x)


class InSubclass(keras.Model):
    """`x * 2` between layers, in `call`."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = kl.Embedding(10, SIZE, mask_zero=True)
        self.dense = kl.Dense(4, name="dense")
        self.pool = kl.GlobalAveragePooling1D()

    def call(self, inputs: Any) -> Any:
        return self.pool(self.dense(self.tokens(inputs) * 2))


@case(("dense", "made by code"))
def operator_in_subclass() -> Any:
    return InSubclass()


@case(
    ("words", "wrong shape"),
    inputs=lambda: np.stack([IDS, np.roll(IDS, 1, axis=0)], axis=1),
)
def time_distributed_words() -> Any:
    ids = keras.Input((None, None), dtype="int32")
    x = kl.Embedding(10, SIZE, mask_zero=True)(ids)
    x = kl.TimeDistributed(kl.LSTM(3), name="words")(x)
    return keras.Model(ids, kl.GlobalAveragePooling1D()(x))


def masked(x: np.ndarray, mask: np.ndarray) -> Any:
    """A tensor that carries a mask."""
    return attach(x.astype("float32"), mask)


@case(
    ("frames", "fails"),
    inputs=lambda: masked(np.ones((3, 6, 5, 2)), IDS != 0),
)
def time_distributed_frames() -> Any:
    frames = keras.Input((None, 5, 2))
    x = kl.TimeDistributed(kl.LSTM(3), name="frames")(frames)
    return keras.Model(frames, kl.Dense(2)(x))


@case()
def group_query_attention() -> Any:
    ids, x = tokens()
    x = kl.Add()([x, kl.GroupQueryAttention(4, 2, 1)(x, x)])
    x = kl.Add()([x, kl.GroupQueryAttention(4, 2, 1)(x, x)])
    return pooled(ids, x)


@case()
def nested() -> Any:
    ids, x = tokens()
    inside = keras.Input((None, SIZE))
    inner = keras.Model(inside, kl.Dense(4)(inside), name="inner")
    return pooled(ids, inner(x))


@case()
def rnn() -> Any:
    """Right up to Keras 3.15; see `MASKLESS` for later ones."""
    ids, x = tokens()
    x = kl.Bidirectional(kl.LSTM(4, return_sequences=True), name="both")(x)
    return keras.Model(ids, kl.GRU(3, name="last")(x))


@case()
def kept_rnn() -> Any:
    ids, x = tokens()
    x = layers.KeepMask(
        kl.Bidirectional(kl.LSTM(4, return_sequences=True)), name="both"
    )(x)
    return keras.Model(ids, kl.GRU(3, name="last")(x))


@case(("dense", "drops"))
def einsum_dense() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.EinsumDense("btf,fg->btg", (None, 4), name="dense")(x))


@case(("norm", "drops"))
def rms_normalization() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.RMSNormalization(name="norm")(x))


@case(("pool", "leaks"))
def max_pooling() -> Any:
    ids, x = tokens()
    x = kl.Dense(4, kernel_initializer="ones", bias_initializer="zeros")(x)
    return keras.Model(ids, kl.GlobalMaxPooling1D(name="pool")(x))


@case(("windows", "drops"))
def windowed_pooling() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.AveragePooling1D(2, name="windows")(x))


@case(("flat", "leaks"), inputs=lambda: IDS)
def flatten() -> Any:
    ids = keras.Input((6,), dtype="int32")
    x = kl.Embedding(10, SIZE, mask_zero=True)(ids)
    return keras.Model(ids, kl.Dense(2)(kl.Flatten(name="flat")(x)))


@case(("softmax", "fails"))
def softmax() -> Any:
    ids, x = tokens()
    # Keras 3.15 raises while the model is built, too: so in a subclass.
    return InOrder([kl.Embedding(10, SIZE, mask_zero=True), kl.Dense(5), kl.Softmax(name="softmax")])


@case(("lost", "drops"))
def lambda_layer() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.Lambda(lambda x: x * 2, lambda s: s, name="lost")(x))


@case()
def explicit_mask() -> Any:
    """An operator loses the mask, and the mask is passed by hand."""
    ids, x = tokens()
    x = kl.Dense(4)(x * 2)
    m = ops.not_equal(ids, 0)
    return keras.Model(ids, kl.GlobalAveragePooling1D()(x, mask=m))


@case(("add", "changed meaning"), inputs=lambda: [IDS, np.roll(IDS, 1, 0)])
def two_masks() -> Any:
    one = keras.Input((None,), dtype="int32", name="one")
    two = keras.Input((None,), dtype="int32", name="two")
    table = kl.Embedding(10, SIZE, mask_zero=True)
    x = kl.Add(name="add")([table(one), table(two)])
    return keras.Model([one, two], kl.GlobalAveragePooling1D()(x))


@case(("join", "changed meaning"))
def concatenated() -> Any:
    ids, x = tokens()
    y = kl.Embedding(10, 3)(ids)
    return pooled(ids, kl.Concatenate(name="join")([x, y]))


class InOrder(keras.Model):
    """Layers one after the other, in `call`."""

    def __init__(self, inner: list[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        for layer in self.inner:
            inputs = layer(inputs)
        return inputs


class Slices(kl.Layer):
    """Every other step, with the mask of all."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs[:, ::2]


@case(("slices", "wrong shape"))
def sliced() -> Any:
    return InOrder([kl.Embedding(10, SIZE, mask_zero=True), Slices(name="slices"), kl.Dense(3)])


@case(("norm", "made by code"))
def keras_example_block() -> Any:
    """The block of Keras' example "text classification with transformer"."""
    return InOrder(
        [
            kl.Embedding(10, SIZE, mask_zero=True),
            TransformerBlock(name="block"),
            kl.GlobalAveragePooling1D(),
        ]
    )


class TransformerBlock(kl.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.att = kl.MultiHeadAttention(2, 4)
        self.norm = kl.LayerNormalization(name="norm")

    def call(self, inputs: Any) -> Any:
        return self.norm(inputs + self.att(inputs, inputs))


@case(("pool", "not finite"), inputs=lambda: np.array([[1, 2, 3], [0, 0, 0]]))
def empty_row() -> Any:
    ids, x = tokens()
    return pooled(ids, x)


@case(("operator_at_the_end", "drops"))
def code_at_the_end() -> Any:
    class AtTheEnd(InOrder):
        def call(self, inputs: Any) -> Any:
            return super().call(inputs) * 1.0

    return AtTheEnd([kl.Embedding(10, SIZE, mask_zero=True), kl.Dense(3)], name="operator_at_the_end")


@case(("divided", "leaks"))
def by_length() -> Any:
    """Blind to what padding holds, but not to how much there is."""
    return InOrder([kl.Embedding(10, SIZE, mask_zero=True), ByLength(name="divided"), kl.GlobalAveragePooling1D()])


class ByLength(kl.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs / ops.cast(ops.shape(inputs)[1], inputs.dtype)


@case(("states", "ignores"), inputs=lambda: np.array([[1, 2, 3], [4, 5, 6]]))
def no_padding() -> Any:
    """A batch without padding: what leaks is measured with some made up."""
    ids, x = tokens()
    return pooled(ids, kl.GroupNormalization(2, name="states")(x))


@case()
def spectral() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.SpectralNormalization(kl.Dense(4))(x))
