"""Models whose faults are known, with the expected findings.

Rows of Keras' own ways of losing a mask, and models that are right. Each
function builds a model; `CASES` has the findings, as (name of the layer,
verdict), in order.
"""

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from keras_masking import layers
from keras_masking.layer_calls import new_masked_tensor

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
    rounding: float = 1e-5  # what padding may move in a sound model
    unmeasured: bool = False  # nothing is found, nor could it be

    @property
    def state(self) -> str:
        if self.findings:
            return "findings"
        return "not measured" if self.unmeasured else "clean"

    @property
    def name(self) -> str:
        return self.make.__name__


def build(make: Callable[[], Any]) -> Any:
    """A model, without Keras' warnings, its layers numbered from the first."""
    keras.utils.clear_session(free_memory=False)  # to free it takes seconds
    keras.config.disable_traceback_filtering()  # as conftest.py has it
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*destroy the mask")
        return make()


CASES: list[Case] = []


def case(
    *findings: tuple[str, str],
    inputs: Callable[[], Any] = lambda: IDS,
    rounding: float = 1e-5,
    unmeasured: bool = False,
) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        known = list(findings)
        CASES.append(Case(make, known, inputs, rounding, unmeasured))
        return make

    return register


def tokens(name: str = "tokens") -> tuple[Any, Any]:
    ids = keras.Input((None,), dtype="int32")
    return ids, kl.Embedding(10, SIZE, mask_zero=True, name=name)(ids)


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
    ("words", "drops" if VERSION >= (3, 16) else "wrong shape"),
    inputs=lambda: np.stack([IDS, np.roll(IDS, 1, axis=0)], axis=1),
)
def time_distributed_words() -> Any:
    ids = keras.Input((None, None), dtype="int32")
    x = kl.Embedding(10, SIZE, mask_zero=True)(ids)
    x = kl.TimeDistributed(kl.LSTM(3), name="words")(x)
    return keras.Model(ids, kl.GlobalAveragePooling1D()(x))


def masked(x: np.ndarray, mask: np.ndarray) -> Any:
    """A tensor that carries a mask."""
    return new_masked_tensor(x.astype("float32"), mask)


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


@case(*[("both", "drops")] if VERSION >= (3, 16) else [])
def rnn() -> Any:
    """Since Keras 3.16 recurrent layers pass no mask on."""
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
    return pooled(
        ids, kl.EinsumDense("btf,fg->btg", (None, 4), name="dense")(x)
    )


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
    # A Functional model of it cannot be made: Keras 3.15 raises there, too.
    return InOrder(
        [
            kl.Embedding(10, SIZE, mask_zero=True),
            kl.Dense(5),
            kl.Softmax(name="softmax"),
        ]
    )


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
    return InOrder(
        [
            kl.Embedding(10, SIZE, mask_zero=True),
            Slices(name="slices"),
            kl.Dense(3),
        ]
    )


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

    return AtTheEnd(
        [kl.Embedding(10, SIZE, mask_zero=True), kl.Dense(3)],
        name="operator_at_the_end",
    )


@case(("divided", "leaks"))
def by_length() -> Any:
    """Blind to what padding holds, but not to how much there is."""
    return InOrder(
        [
            kl.Embedding(10, SIZE, mask_zero=True),
            ByLength(name="divided"),
            kl.GlobalAveragePooling1D(),
        ]
    )


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


LEFT = np.array([[3, 1, 4, 1], [0, 2, 6, 5], [0, 0, 8, 9]])


@case(("conv", "leaks"), inputs=lambda: LEFT)
def causal_convolution_from_the_left() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.Conv1D(4, 3, padding="causal", name="conv")(x))


@case(("conv", "drops"))
def causal_convolution() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.Conv1D(4, 3, padding="causal", name="conv")(x))


@case(("norm", "leaks"))
def layer_normalization_over_steps() -> Any:
    ids = keras.Input((6,), dtype="int32")
    x = kl.Embedding(10, SIZE, mask_zero=True)(ids)
    return pooled(ids, kl.LayerNormalization(axis=[1, 2], name="norm")(x))


@case(("norm", "leaks"))
def unit_normalization_over_steps() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.UnitNormalization(axis=1, name="norm")(x))


@case(("again", "changed meaning"))
def masked_again() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.Masking(name="again")(x))


@case(("norm", "fails"), inputs=lambda: masked(np.ones((3, 6, 5, 2)), IDS != 0))
def batch_normalization_of_images() -> Any:
    frames = keras.Input((None, 5, 2))
    x = kl.BatchNormalization(name="norm")(frames)
    return keras.Model(frames, kl.Dense(2)(x))


@case(("crop", "drops"))
def cropping() -> Any:
    ids, x = tokens()
    return keras.Model(ids, kl.LSTM(3)(kl.Cropping1D((1, 0), name="crop")(x)))


@case(("up", "drops"))
def up_sampling() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.UpSampling1D(2, name="up")(x))


@case(("pad", "leaks"))  # a row alone ends with a zero
def zero_padding() -> Any:
    ids, x = tokens()
    return pooled(ids, kl.ZeroPadding1D(1, name="pad")(x))


@case(("dot", "leaks"))
def dot_over_steps() -> Any:
    ids, x = tokens()
    return keras.Model(ids, kl.Dot(1, name="dot")([x, kl.Dense(3)(x)]))


@case(("join", "changed meaning"), inputs=lambda: [IDS, np.roll(IDS, 1, 0)])
def concatenated_masks() -> Any:
    one, x = tokens("one")
    two, y = tokens("two")
    x = kl.Concatenate(name="join")([x, y])
    return keras.Model([one, two], kl.GlobalAveragePooling1D()(x))


@case()
def our_merging() -> Any:
    ids, x = tokens()
    y = kl.Embedding(10, SIZE)(ids)
    x = layers.MaskedConcatenate()([layers.MaskedAdd()([x, y]), x])
    return keras.Model(ids, layers.MaskedGlobalAveragePooling1D()(x))


@case(("lstm", "leaks"))
def initial_state() -> Any:
    ids, x = tokens()
    state = kl.Dense(3)(kl.GlobalAveragePooling1D()(x))
    x = kl.LSTM(3, name="lstm")(x, initial_state=[state, state])
    return keras.Model(ids, x)


class Block(kl.Layer):
    """A post-norm block in a subclass."""

    def __init__(self, attention: Any, add: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = attention(2, 4, name="attention")
        self.add = add()
        self.norm = kl.LayerNormalization()

    def call(self, inputs: Any) -> Any:
        heard = self.attention(inputs, inputs)
        return self.norm(self.add([inputs, heard]))


@case(("attention", "deletes"))
def block_in_subclass() -> Any:
    return InOrder(
        [
            kl.Embedding(10, SIZE, mask_zero=True),
            Block(kl.MultiHeadAttention, kl.Add, name="block"),
            kl.GlobalAveragePooling1D(),
        ]
    )


@case()
def our_block_in_subclass() -> Any:
    return InOrder(
        [
            kl.Embedding(10, SIZE, mask_zero=True),
            Block(layers.MaskedMultiHeadAttention, layers.MaskedAdd),
            kl.GlobalAveragePooling1D(),
        ]
    )


@case()
def our_convolutions() -> Any:
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            kl.Embedding(10, SIZE, mask_zero=True),
            layers.MaskedConv1D(6, 3, activation="relu"),
            layers.MaskedMaxPooling1D(2),
            layers.MaskedGroupNormalization(2),
            layers.MaskedConv1D(6, 3, dilation_rate=2, padding="causal"),
            layers.MaskedGlobalMaxPooling1D(),
            kl.Dense(2),
        ]
    )


@case(inputs=lambda: {"b": IDS, "a": np.where(IDS[..., None], 1.0, 0.0)})
def dict_inputs() -> Any:
    a = keras.Input((None, 1), name="a")
    b = keras.Input((None,), dtype="int32", name="b")
    x = kl.Masking()(a)
    x = layers.MaskedConcatenate()([x, kl.Embedding(10, 3, mask_zero=True)(b)])
    each = kl.Dense(2)(x)
    return keras.Model({"a": a, "b": b}, {"each": each, "all": kl.GRU(2)(x)})


@case(inputs=lambda: [IDS, np.roll(IDS, 1, 0)])
def shared() -> Any:
    """Two texts through the same layers."""
    one = keras.Input((None,), dtype="int32")
    two = keras.Input((None,), dtype="int32")
    table, dense = kl.Embedding(10, SIZE, mask_zero=True), kl.Dense(4)
    pool = kl.GlobalAveragePooling1D()
    ends = [pool(dense(table(x))) for x in (one, two)]
    return keras.Model([one, two], kl.Dot(-1)(ends))


@case(inputs=lambda: [np.ones((3, 6, 2)), np.array([[6], [4], [2]])])
def lengths() -> Any:
    x = keras.Input((None, 2))
    n = keras.Input((1,), dtype="int32")
    y = layers.LengthMask()([x, kl.Reshape(())(n)])
    return keras.Model([x, n], layers.MaskedGlobalAveragePooling1D()(y))


@case(inputs=lambda: np.where(IDS[..., None] > 0, IDS[..., None] / 9.0, np.nan))
def missing_values() -> Any:
    x = keras.Input((None, 1))
    y = layers.NaNMask()(x)
    return keras.Model(x, kl.Dense(2)(kl.GRU(3)(y)))


@case(rounding=0.2)
def half_precision() -> Any:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return our_transformer()
    finally:
        keras.config.set_dtype_policy("float32")


@case()
def saved() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        our_transformer().save(f"{folder}/model.keras")
        return keras.saving.load_model(f"{folder}/model.keras")


@case(("attention", "leaks"))
def own_attention() -> Any:
    """Of layers that are right by themselves, in a layer that is not."""
    ids, x = tokens()
    return pooled(ids, OwnAttention(name="attention")(x))


class OwnAttention(kl.Layer):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.query = kl.EinsumDense("btf,fg->btg", (None, SIZE))
        self.key = kl.EinsumDense("btf,fg->btg", (None, SIZE))

    def call(self, inputs: Any) -> Any:
        scores = ops.einsum(
            "bqf,bkf->bqk", self.query(inputs), self.key(inputs)
        )
        return ops.matmul(ops.softmax(scores), inputs)


@case()
def hidden_by_code() -> Any:
    """Positions made by code beside the tokens hang on no input."""

    class Hidden(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = kl.Embedding(10, SIZE, mask_zero=True)
            self.table = kl.Embedding(64, SIZE)
            self.add = layers.MaskedAdd()
            self.pool = kl.GlobalAveragePooling1D()

        def call(self, inputs: Any) -> Any:
            columns = ops.arange(ops.shape(inputs)[1], dtype="int32")
            rows = ops.zeros_like(inputs) + columns[None]
            return self.pool(self.add([self.tokens(inputs), self.table(rows)]))

    return Hidden()


def pair() -> list[np.ndarray]:
    """Two inputs of one length, padded differently."""
    return [IDS, np.where(IDS > 0, 1, 0)[::-1] * 4]


@case(("conv", "leaks"), inputs=pair)
def two_inputs_of_one_length() -> Any:
    one, x = tokens("one")
    two, y = tokens("two")
    y = kl.Conv1D(4, 3, padding="same", name="conv")(y)
    mask = ops.not_equal(two, 0)
    pool = kl.GlobalAveragePooling1D()
    return keras.Model([one, two], [pool(x), pool(y, mask=mask)])


class SentenceMask(kl.Layer):
    """The mask of sentences that have a word."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs + 0

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, 0), -1)


def words() -> np.ndarray:
    return np.stack([IDS, np.roll(IDS, 1, axis=0), IDS * 0], axis=1)


@case(
    *[("sentences", "drops")] if VERSION >= (3, 16) else [],
    ("words", "leaks"),
    inputs=words,
)
def padding_of_words_in_masked_sentences() -> Any:
    ids = keras.Input((None,), dtype="int32")
    x = kl.Embedding(10, SIZE, mask_zero=True)(ids)
    inner = keras.Model(ids, kl.GlobalMaxPooling1D(name="words")(x))
    text = keras.Input((None, None), dtype="int32")
    x = SentenceMask()(text)
    x = kl.TimeDistributed(inner, name="sentences")(x)
    return keras.Model(text, kl.LSTM(3)(x))


def ids_and_mask() -> dict[str, np.ndarray]:
    return {"ids": np.where(IDS > 0, IDS, 7), "mask": (IDS > 0).astype("int32")}


@case(inputs=ids_and_mask)
def mask_as_an_input() -> Any:
    """As transformers have it: a mask of numbers beside the ids."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="int32", name="mask")
    x = kl.Embedding(10, SIZE)(ids)
    real = ops.not_equal(mask, 0)
    x = kl.Add()(
        [x, kl.MultiHeadAttention(2, 4)(x, x, attention_mask=real[:, None])]
    )
    x = kl.GlobalAveragePooling1D()(x, mask=real)
    return keras.Model({"ids": ids, "mask": mask}, x)


def mask_of_numbers(end: Callable[[Any, Any], Any]) -> keras.Model:
    """A model that takes a mask as numbers; no mask of Keras is made."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    real = keras.Input((None,), dtype="int32", name="real")
    x = kl.Dense(SIZE)(kl.Embedding(10, SIZE)(ids))
    x = x * ops.cast(real, "float32")[..., None]
    return keras.Model({"ids": ids, "real": real}, end(x, real))


def ids_and_numbers() -> dict[str, np.ndarray]:
    return {"ids": IDS, "real": (IDS > 0).astype("int32")}


@case(("pool", "leaks"), inputs=ids_and_numbers)
def pooling_counts_padding() -> Any:
    """The mask zeroes padding, and the mean divides by all steps."""
    pool = kl.GlobalAveragePooling1D(name="pool")
    return mask_of_numbers(lambda x, real: pool(x))


@case(inputs=ids_and_numbers)
def pooling_counts_real_steps() -> Any:
    def mean(x: Any, real: Any) -> Any:
        count = ops.sum(ops.cast(real, "float32"), axis=1, keepdims=True)
        return ops.sum(x, axis=1) / ops.maximum(count, 1)

    return mask_of_numbers(mean)


@case(inputs=ids_and_numbers)
def attention_by_numbers() -> Any:
    """A block of BERT as keras-hub has it, and its first step."""

    def block(x: Any, real: Any) -> Any:
        heard = kl.MultiHeadAttention(2, 4)(
            x, x, attention_mask=ops.cast(real, "bool")[:, None]
        )
        return kl.LayerNormalization()(x + heard)[:, 0]

    return mask_of_numbers(block)


@case(inputs=ids_and_numbers)
def softmax_of_a_mask_that_broadcasts() -> Any:
    """Its scores are `(batch, steps, steps)`, its mask `(batch, 1, steps)`."""

    def attention(x: Any, real: Any) -> Any:
        scores = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
        weights = kl.Softmax()(scores, mask=ops.cast(real, "bool")[:, None])
        return ops.matmul(kl.Dropout(0.1)(weights), x)

    return mask_of_numbers(attention)


TARGETS = np.array(
    [[7, 2, 5, 0, 0, 0], [1, 6, 0, 0, 0, 0], [4, 4, 0, 0, 0, 0]], "int32"
)


def source_and_target() -> list[np.ndarray]:
    """Each target is shorter than its source."""
    return [IDS, TARGETS]


def attend(x: Any, keys: Any, where: Any, causal: bool = False) -> Any:
    """Attention by hand; rows without a key give 0."""
    scores = ops.matmul(x, ops.transpose(keys, (0, 2, 1)))
    if causal:
        steps = ops.arange(scores.shape[1])
        where = ops.logical_and(where, steps[:, None] >= steps)
    scores = ops.where(where, scores, -1e9)
    weights = ops.where(where, ops.softmax(scores), 0)
    return ops.matmul(weights, keys)


class Cross(kl.Layer):
    """Adds what each step of the target hears of the source."""

    causal = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(
        self,
        target: Any,
        source: Any,
        target_mask: Any = None,
        source_mask: Any = None,
    ) -> Any:
        return target + attend(
            target, source, source_mask[:, None], self.causal
        )

    def compute_mask(self, inputs: Any, mask: Any = None, **other: Any) -> Any:
        return mask

    def compute_output_shape(self, shape: Any, *other: Any) -> Any:
        return shape


class CausalCross(Cross):
    """Early steps of the target do not see late ones of the source."""

    causal = True


class CrossByTarget(Cross):
    """Takes the mask that Keras passes, that of the target, for the source."""

    def call(self, target: Any, source: Any, target_mask: Any = None) -> Any:
        return target + attend(target, source, target_mask[:, None])


def translator(cross: Callable[..., Any]) -> keras.Model:
    source, x = tokens("source")
    target, y = tokens("target")
    y = cross(name="cross")(y, x)
    y = layers.MaskedGlobalAveragePooling1D()(y)
    return keras.Model([source, target], y)


@case(("cross", "hides real steps"), inputs=source_and_target)
def mask_of_the_target_for_the_source() -> Any:
    return translator(CrossByTarget)


@case(inputs=source_and_target)
def mask_of_the_source_for_the_source() -> Any:
    return translator(Cross)


@case(inputs=source_and_target)
def causal_mask_of_the_source() -> Any:
    return translator(CausalCross)


@case(inputs=source_and_target)
def sum_of_source_and_target() -> Any:
    """A step is real where it is in both: our merging layers say so."""
    source, x = tokens("source")
    target, y = tokens("target")
    y = layers.MaskedAdd()([x, y])
    pool = layers.MaskedGlobalMaxPooling1D()
    return keras.Model([source, target], pool(y))


@case(("cross", "hides real steps"), inputs=source_and_target)
def attention_mask_of_the_target() -> Any:
    """An argument that a caller wrote, beside the right mask from Keras."""
    source, x = tokens("source")
    target, y = tokens("target")
    where = ops.not_equal(target, 0)[:, None]
    cross = layers.MaskedMultiHeadAttention(2, 4, name="cross")
    y = layers.MaskedAdd()([y, cross(y, x, attention_mask=where)])
    return keras.Model(
        [source, target], layers.MaskedGlobalAveragePooling1D()(y)
    )


@case(inputs=source_and_target)
def maximum_of_source_and_target() -> Any:
    """Steps that are no maximum move nothing either."""
    source, x = tokens("source")
    target, y = tokens("target")
    pool = layers.MaskedGlobalMaxPooling1D()
    return keras.Model([source, target], kl.Maximum()([pool(x), pool(y)]))


@case(
    inputs=lambda: {
        "source": IDS,
        "source_mask": IDS > 0,
        "target": TARGETS,
        "target_mask": TARGETS > 0,
    },
    unmeasured=True,
)
def two_masks_as_inputs() -> Any:
    """Both of six steps: it is unknown which sequence each of them masks."""
    names = ("source", "target")
    ids = {n: keras.Input((None,), dtype="int32", name=n) for n in names}
    masks = {
        f"{n}_mask": keras.Input((None,), dtype="bool", name=f"{n}_mask")
        for n in names
    }
    x, y = (kl.Embedding(10, SIZE)(one) for one in ids.values())
    where = masks["source_mask"][:, None]
    y = y + kl.MultiHeadAttention(2, 4)(y, x, attention_mask=where)
    pool = layers.MaskedGlobalAveragePooling1D()
    y = pool(y, mask=masks["target_mask"])
    return keras.Model({**ids, **masks}, y)


@case(
    inputs=lambda: [np.ones((2, 3, 6)), np.ones((2, 1, 6), bool)],
    unmeasured=True,
)
def softmax_alone() -> Any:
    """How its inputs are padded is unknown."""
    scores, mask = keras.Input((3, 6)), keras.Input((1, 6), dtype="bool")
    return keras.Model([scores, mask], kl.Softmax()(scores, mask=mask))


def sum_by_lengths(end: Callable[[Any, Any], Any]) -> keras.Model:
    """Padding is zero, and stays zero."""
    x, n = keras.Input((None, 2)), keras.Input((1,), dtype="int32")
    return keras.Model([x, n], end(kl.Dense(3, use_bias=False)(x), n))


def series_and_lengths() -> list[np.ndarray]:
    series = np.where(IDS > 0, IDS / 9.0, 0.0)[..., None] * [1.0, -2.0]
    return [series, (IDS > 0).sum(axis=1, keepdims=True)]


@case(inputs=series_and_lengths)
def mean_by_lengths() -> Any:
    return sum_by_lengths(
        lambda x, n: ops.sum(x, axis=1) / ops.cast(n, "float32")
    )


@case(("pool", "leaks"), inputs=series_and_lengths)
def mean_in_spite_of_lengths() -> Any:
    pool = kl.GlobalAveragePooling1D(name="pool")
    # Keras 3.12 wants every input connected to the output.
    return sum_by_lengths(lambda x, n: pool(x) + 0.0 * ops.cast(n, "float32"))


def with_table(rows: int) -> Any:
    """A model with a table of positions, and attention."""
    ids, x = tokens()
    p = kl.Embedding(rows, SIZE, name="positions")(Columns(name="columns")(ids))
    x = layers.MaskedAdd()([x, p])
    x = layers.MaskedAdd()([x, kl.GroupQueryAttention(4, 2, 1)(x, x)])
    return pooled(ids, x)


@case()
def table_too_short_for_more_padding() -> Any:
    """Right for padding on the right: rows alone show it."""
    return with_table(16)


@case(("columns", "leaks"), inputs=lambda: IDS[:, ::-1])
def table_too_short_for_padding_on_the_left() -> Any:
    return with_table(16)


@case()
def fixed_steps() -> Any:
    ids = keras.Input((6,), dtype="int32")
    return pooled(ids, kl.Embedding(10, SIZE, mask_zero=True)(ids))


def autoencoder(steps: int | None) -> Any:
    """The decoder's steps are made of one vector, without a mask."""
    ids = keras.Input((steps,), dtype="int32")
    x = kl.LSTM(4)(kl.Embedding(10, SIZE, mask_zero=True)(ids))
    x = kl.LSTM(4, return_sequences=True)(kl.RepeatVector(6)(x))
    return keras.Model(ids, kl.Dense(2)(x))


@case(unmeasured=True)
def autoencoder_of_fixed_steps() -> Any:
    return autoencoder(6)


@case(unmeasured=True)
def autoencoder_of_any_steps() -> Any:
    return autoencoder(None)


@case(
    ("conv", "leaks"), inputs=lambda: np.where(IDS > 0, IDS, np.nan)[..., None]
)
def nan_without_a_mask() -> Any:
    """NaN says where padding is, and code sets it to zero."""
    x = keras.Input((None, 1))
    real = ops.logical_not(ops.isnan(x))
    y = ops.where(real, x, 1.0)
    y = kl.Conv1D(3, 3, padding="same", name="conv")(y)
    y = ops.sum(ops.where(real, y, 0.0), axis=1)
    return keras.Model(x, y)


class Patches(kl.Layer):
    """Overlapping windows; one with NaN in it holds NaN."""

    def call(self, x: Any) -> Any:
        return ops.stack([x[:, i : i + 3] for i in range(x.shape[1] - 2)], 1)


class Distances(kl.Layer):
    """Makes a mask `(batch, windows, 1)` of the NaN."""

    def call(self, x: Any) -> Any:
        return ops.sum(ops.square(ops.nan_to_num(x)), axis=2)

    def compute_mask(self, x: Any, previous: Any = None) -> Any:
        return ops.isfinite(ops.sum(x, axis=(2, 3)))[..., None]


class Smallest(kl.Layer):
    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is not None:
            x = ops.where(mask, x, ops.max(x))
        return ops.min(x, axis=1)


@case(
    inputs=lambda: np.where(np.cumsum(IDS == 0, 1) > 2, np.nan, IDS)[..., None]
)
def windows_of_nan() -> Any:
    """The padding of windows is NaN too, as in tslearn; nothing is wrong."""
    x = keras.Input((6, 1))
    y = Smallest()(Distances()(Patches()(x)))
    return keras.Model(x, y)


@case(("dense", "made by code"))
def mean_by_code() -> Any:
    class Mean(InOrder):
        def call(self, inputs: Any) -> Any:
            return self.inner[1](ops.mean(self.inner[0](inputs), 1))

    table = kl.Embedding(10, SIZE, mask_zero=True)
    return Mean([table, kl.Dense(3, name="dense")])


@case(unmeasured=True)
def dropout_at_inference() -> Any:
    class Drops(InOrder):
        def call(self, inputs: Any) -> Any:
            x = self.inner[1](self.inner[0](inputs), training=True)
            return self.inner[2](x)

    table = kl.Embedding(10, SIZE, mask_zero=True)
    return Drops([table, kl.Dropout(0.5), kl.GlobalAveragePooling1D()])


def _alone(name: str, verdict: str, make: Callable[..., Any]) -> None:
    """One layer between an embedding and a mean."""

    def model() -> Any:
        ids, x = tokens()
        return pooled(ids, make(name=name)(x))

    model.__name__ = name
    case((name, verdict))(model)


NEW = VERSION >= (3, 16)
SAME = {"padding": "same"}
_alone("separable", "leaks", partial(kl.SeparableConv1D, 4, 3, **SAME))
_alone("depthwise", "leaks", partial(kl.DepthwiseConv1D, 3, **SAME))
_alone("transposed", "leaks", partial(kl.Conv1DTranspose, 4, 3, **SAME))
_alone("maxima", "drops", partial(kl.MaxPooling1D, 2))
_alone("by_lambda", "drops", partial(kl.Lambda, ops.relu, lambda shape: shape))


@case(("permute", "drops"))
def permuted() -> Any:
    ids, x = tokens()
    x = kl.Permute((2, 1), name="permute")(x)
    return pooled(ids, kl.Permute((2, 1), name="back")(x))


@case(inputs=lambda: np.stack([IDS, IDS], axis=1), unmeasured=True)
def embedding_in_time_distributed() -> Any:
    """It makes no mask, and so there is none to lose."""
    ids = keras.Input((None, None), dtype="int32")
    x = kl.TimeDistributed(kl.Embedding(10, SIZE, mask_zero=True))(ids)
    return keras.Model(ids, kl.GlobalAveragePooling2D()(x))


@case(*[("each", "drops")] if NEW else [])
def dense_in_time_distributed() -> Any:
    ids, x = tokens()
    x = kl.TimeDistributed(kl.Dense(3), name="each")(x)
    return keras.Model(ids, kl.LSTM(3)(x))


@case(*[("rnn", "drops")] if NEW else [])
def rnn_to_the_loss() -> Any:
    ids, x = tokens()
    return keras.Model(
        ids, kl.SimpleRNN(3, return_sequences=True, name="rnn")(x)
    )


@case(*[("attention", "deletes")] if NEW else [])
def one_block() -> Any:
    """Up to 3.15 the graph remembers the mask for the pooling."""
    ids, x = tokens()
    heard = kl.MultiHeadAttention(2, 4, name="attention")(x, x)
    return pooled(ids, kl.Add()([x, heard]))


@case(("attention", "deletes"))
def residual_by_operator() -> Any:
    ids, x = tokens()
    x = kl.LayerNormalization()(
        x + kl.MultiHeadAttention(2, 4, name="attention")(x, x)
    )
    return pooled(ids, x)


@case(("get_item", "drops"))
def slice_in_a_graph() -> Any:
    ids, x = tokens()
    return pooled(ids, x[:, 1:])


@case(("relu", "drops"))
def activation_by_operation() -> Any:
    ids, x = tokens()
    return pooled(ids, ops.relu(x))


@case(("concatenate", "drops"))
def joined_by_operation() -> Any:
    ids, x = tokens()
    return pooled(ids, ops.concatenate([x, x], axis=-1))


@case(("gate", "drops"))
def multiplied() -> Any:
    ids, x = tokens()
    gate = kl.Embedding(10, SIZE)(ids)
    return pooled(ids, kl.Multiply(name="gate")([x, gate]))
