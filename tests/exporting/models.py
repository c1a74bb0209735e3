"""Models of every kind that is exported: ids, features with a mask or lengths.

Each takes other layers and another way of saying where padding is.
"""

from collections.abc import Callable

import keras

from keras_masking import layers

WIDTH = 4
IDS = 9


def _ids() -> keras.KerasTensor:
    return keras.Input((None,), dtype="int32", name="ids")


def _features() -> keras.KerasTensor:
    return keras.Input((None, WIDTH), name="x")


def _embedded(ids: keras.KerasTensor) -> keras.KerasTensor:
    return layers.CustomEmbedding(IDS, WIDTH, mask_zero=True)(ids)


def embedding_and_mean() -> keras.Model:
    ids = _ids()
    x = layers.MaskedGlobalAveragePooling1D()(_embedded(ids))
    return keras.Model(ids, keras.layers.Dense(3)(x))


def _speech(x: keras.KerasTensor) -> keras.KerasTensor:
    x = layers.MaskedConv1D(8, 3, strides=2, padding="same")(x)
    x = layers.MaskedGroupNormalization(2)(x)
    return layers.StatisticsPooling1D()(x)


def speech_with_mask() -> keras.Model:
    x = _features()
    mask = keras.Input((None,), dtype="bool", name="mask")
    return keras.Model([x, mask], _speech(layers.AttachMask()(x, mask=mask)))


def speech_with_lengths() -> keras.Model:
    x = _features()
    lengths = keras.Input((), dtype="int32", name="lengths")
    return keras.Model([x, lengths], _speech(layers.LengthMask()([x, lengths])))


def speech_with_value() -> keras.Model:
    x = _features()
    return keras.Model(x, _speech(keras.layers.Masking()(x)))


def transformer() -> keras.Model:
    ids = _ids()
    x = _embedded(ids)
    for _ in range(2):
        seen = layers.MaskedMultiHeadAttention(2, 2)(x, x)
        x = keras.layers.LayerNormalization()(layers.MaskedAdd()([x, seen]))
        wide = keras.layers.Dense(8, activation="relu")(x)
        wide = keras.layers.Dense(WIDTH)(wide)
        x = keras.layers.LayerNormalization()(layers.MaskedAdd()([x, wide]))
    return keras.Model(ids, layers.MaskedGlobalMaxPooling1D()(x))


def recurrent() -> keras.Model:
    ids = _ids()
    x = _embedded(ids)
    x = layers.KeepMask(keras.layers.LSTM(5, return_sequences=True))(x)
    gru = keras.layers.GRU(3, return_sequences=True)
    x = layers.KeepMask(keras.layers.Bidirectional(gru))(x)
    return keras.Model(ids, layers.AttentionPooling1D()(x))


def temporal() -> keras.Model:
    x = _features()
    lengths = keras.Input((), dtype="int32", name="lengths")
    y = layers.LengthMask()([x, lengths])
    y = layers.TemporalSoftmax()(y)
    y = layers.MaskedMaxPooling1D(2, padding="same")(y)
    return keras.Model([x, lengths], layers.LastStep()(y))


MODELS: dict[str, Callable[[], keras.Model]] = {
    "m1": embedding_and_mean,
    "m2": speech_with_mask,
    "m2l": speech_with_lengths,
    "m2m": speech_with_value,
    "m3": transformer,
    "m4": recurrent,
    "m5": temporal,
}
