"""Models of kgcnn, which flattens a padded batch to one graph."""

import keras
import numpy as np
from kgcnn.layers.casting import CastBatchedAttributesToDisjoint
from kgcnn.layers.pooling import PoolingNodes

from tools.wild.examples import Example
from tools.wild.rows import LENGTHS
from tools.wild.rows import Row
from tools.wild.rows import real
from tools.wild.rows import series


def pooled(uses_mask: bool) -> Example:
    nodes = keras.Input((None, 3), name="nodes")
    shape, dtype = ((None,), "bool") if uses_mask else ((), "int64")
    sizes = keras.Input(shape, dtype=dtype, name="sizes")
    cast = CastBatchedAttributesToDisjoint(
        uses_mask=uses_mask, padded_disjoint=False
    )
    x, graph, _, count = cast([nodes, sizes])
    y = PoolingNodes()([count, keras.layers.Dense(4)(x), graph])
    inputs = [series(), real() if uses_mask else np.array(LENGTHS, "int64")]
    padding = [0.0, 0 if uses_mask else None]
    model = keras.Model([nodes, sizes], y)
    return Example(model, inputs, padding, LENGTHS, steps=False)


ROWS = [
    Row("cast by sizes, PoolingNodes", lambda: pooled(False)),
    Row("cast by a mask, PoolingNodes", lambda: pooled(True)),
]
