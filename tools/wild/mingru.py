"""Models of mingru-keras."""

import keras
from mingru_keras.core import MinGRU

from tools.wild.rows import Row
from tools.wild.rows import masked


def pooled() -> object:
    pool = keras.layers.GlobalAveragePooling1D(name="pool")
    return masked(lambda x: pool(MinGRU(4, name="gru")(x)))


ROWS = [Row("MinGRU, pooling", pooled, guilty=("gru",))]
