"""The architectures of well-known examples of Keras, small.

Each takes `masked`: False is as published, where no mask is made; True makes
one at the front, and changes nothing else. The `mended` models are the same
with our layers.
"""

from typing import Any

import keras
import numpy as np
from keras import layers as kl
from keras import ops

from keras_masking import layers

VOCABULARY, SIZE, LABELS = 20, 8, 2
rng = np.random.default_rng(0)
IDS = rng.integers(1, VOCABULARY, (4, 24)).astype("int32")
IDS[np.arange(24) >= np.array([24, 20, 15, 9])[:, None]] = 0
SERIES = np.where(IDS[..., None] > 0, rng.normal(size=(4, 24, 1)), 0.0)


class TransformerBlock(kl.Layer):
    """Of "Text classification with Transformer"."""

    def __init__(
        self, attention: Any = kl.MultiHeadAttention, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.att = attention(2, SIZE, name="att")
        self.ffn = keras.Sequential(
            [kl.Dense(16, activation="relu"), kl.Dense(SIZE)]
        )
        self.layernorm1 = kl.LayerNormalization(name="layernorm1")
        self.layernorm2 = kl.LayerNormalization(name="layernorm2")

    def call(self, inputs: Any) -> Any:
        attended = self.layernorm1(inputs + self.att(inputs, inputs))
        return self.layernorm2(attended + self.ffn(attended))


class TokenAndPositionEmbedding(kl.Layer):
    """Of the same example."""

    def __init__(self, masked: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.token_emb = kl.Embedding(VOCABULARY, SIZE, mask_zero=masked)
        self.pos_emb = kl.Embedding(64, SIZE)

    def call(self, x: Any) -> Any:
        positions = ops.arange(0, ops.shape(x)[-1], 1, dtype="int32")
        return self.token_emb(x) + self.pos_emb(positions)


def text_transformer(masked: bool) -> keras.Model:
    """Text classification with Transformer (2020)."""
    ids = keras.Input((None,), dtype="int32")
    x = TokenAndPositionEmbedding(masked, name="embedding")(ids)
    x = TransformerBlock(name="transformer")(x)
    x = kl.GlobalAveragePooling1D()(x)
    x = kl.Dense(LABELS, activation="softmax")(kl.Dropout(0.1)(x))
    return keras.Model(ids, x, name="text_transformer")


def text_convolutions(masked: bool) -> keras.Model:
    """Text classification from scratch (2019)."""
    ids = keras.Input((None,), dtype="int32")
    x = kl.Embedding(VOCABULARY, SIZE, mask_zero=masked)(ids)
    x = kl.Dropout(0.5)(x)
    for number in (1, 2):
        x = kl.Conv1D(
            16, 3, strides=2, activation="relu", name=f"conv{number}"
        )(x)
    x = kl.GlobalMaxPooling1D()(x)
    x = kl.Dropout(0.5)(kl.Dense(16, activation="relu")(x))
    return keras.Model(ids, kl.Dense(1)(x), name="text_convolutions")


def seq2seq(masked: bool) -> keras.Model:
    """Character-level recurrent sequence-to-sequence model (2017)."""
    source, target = keras.Input((None, 5)), keras.Input((None, 6))
    x, y = source, target
    if masked:
        x, y = kl.Masking()(x), kl.Masking()(y)
    _, h, c = kl.LSTM(SIZE, return_state=True, name="encoder")(x)
    decoder = kl.LSTM(
        SIZE, return_sequences=True, return_state=True, name="decoder"
    )
    y, _, _ = decoder(y, initial_state=[h, c])
    y = kl.Dense(6, activation="softmax")(y)
    return keras.Model([source, target], y, name="seq2seq")


def characters() -> list[np.ndarray]:
    """One-hot rows of unequal length."""
    return [
        np.eye(n)[IDS % n] * (IDS > 0)[..., None].astype("float32")
        for n in (5, 6)
    ]


def series_transformer(masked: bool) -> keras.Model:
    """Timeseries classification with a Transformer model (2021)."""
    source = keras.Input((None, 1))
    x = kl.Masking()(source) if masked else source
    for number in (1, 2):
        heard = kl.MultiHeadAttention(2, 4, name=f"attention{number}")(x, x)
        heard = kl.LayerNormalization()(kl.Dropout(0.1)(heard))
        x = heard + x
        y = kl.Conv1D(4, 1, activation="relu")(x)
        y = kl.LayerNormalization()(kl.Conv1D(1, 1)(kl.Dropout(0.1)(y)))
        x = y + x
    x = kl.GlobalAveragePooling1D()(x)
    x = kl.Dense(LABELS, activation="softmax")(x)
    return keras.Model(source, x, name="series_transformer")


class MendedBlock(TransformerBlock):
    """The same, with layers instead of `+`, and our attention layer."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(layers.MaskedMultiHeadAttention, **kwargs)
        self.add1, self.add2 = layers.MaskedAdd(), layers.MaskedAdd()

    def call(self, inputs: Any) -> Any:
        attended = self.add1([inputs, self.att(inputs, inputs)])
        attended = self.layernorm1(attended)
        return self.layernorm2(self.add2([attended, self.ffn(attended)]))


def mended_text_transformer() -> keras.Model:
    """`text_transformer`, as the inspector's advice has it."""
    ids = keras.Input((None,), dtype="int32")
    x = kl.Embedding(VOCABULARY, SIZE, mask_zero=True)(ids)
    x = kl.Add()([x, layers.MaskedPositionEmbedding(64)(x)])
    x = MendedBlock()(x)
    x = kl.GlobalAveragePooling1D()(x)
    x = kl.Dense(LABELS, activation="softmax")(kl.Dropout(0.1)(x))
    return keras.Model(ids, x)


EXAMPLES = {
    text_transformer: lambda: IDS,
    text_convolutions: lambda: IDS,
    seq2seq: characters,
    series_transformer: lambda: SERIES,
}
