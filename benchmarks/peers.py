"""The same operations in other packages, where those are installed.

`sequence-layers` of Google on JAX, ragged tensors of TensorFlow, nested tensors
of PyTorch, and the code that one would write there by hand. A ragged or nested
tensor holds only the real steps, so it reads less memory than a padded one; it
is made from them inside the function, which copies no values.
"""

from functools import partial
from importlib.util import find_spec
from operator import attrgetter
from typing import Any

import keras
import numpy as np
from keras import ops

from benchmarks.row import Contender

# Their layer of the same arguments, which takes values and mask.
CONV = "kernel_size=3, padding='same', compute_dtype=dtype"
AVERAGE = "AveragePooling1D.Config(masked_average=True, {})".format
MAX = "MaxPooling1D.Config({})".format
SEQUENCE_LAYERS = {
    "conv_64": f"Conv1D.Config(filters=64, {CONV})",
    "conv_256": f"Conv1D.Config(filters=256, {CONV})",
    "depthwise": f"DepthwiseConv1D.Config({CONV})",
    "average_2": AVERAGE("pool_size=2, strides=2"),
    "average_4": AVERAGE("pool_size=4, strides=4"),
    "average_3_1": AVERAGE("pool_size=3, padding='same'"),
    "max_2": MAX("pool_size=2, strides=2"),
    "max_4": MAX("pool_size=4, strides=4"),
    "max_3_1": MAX("pool_size=3, padding='same'"),
    "group_norm": "GroupNormalization.Config(num_groups=8)",
    "lstm": "LSTM.Config(units=128, compute_dtype=dtype)",
    "multi_head": "DotProductSelfAttention.Config(max_past_horizon=-1, "
    "max_future_horizon=-1, num_heads=8, units_per_head=32)",
}
REDUCTIONS = {
    "mean": ("reduce_mean", "mean"),
    "sum": ("reduce_sum", "sum"),
    "variance": ("math.reduce_variance", "var"),
    "max": ("reduce_max", "amax"),
    "min": ("reduce_min", "amin"),
    "softmax": ("nn.softmax", "softmax"),
}


def peers(row: str) -> dict[str, Any]:
    """Functions that make a contender for a batch."""
    backend, spec = keras.backend.backend(), find_spec("sequence_layers")
    if backend == "jax" and row in SEQUENCE_LAYERS and spec:
        return {"sequence-layers": partial(_sequence_layers, row)}
    if backend == "jax" or row not in REDUCTIONS:
        return {}
    if backend == "tensorflow":
        return {"ragged": partial(_ragged, row)}
    hand = {"by hand": lambda batch: Contender(_by_hand, batch.read("x mask"))}
    return {"nested": partial(_nested, row)} | (hand if row == "mean" else {})


def _packed(batch: Any) -> tuple[Any, ...]:
    """The real steps alone, and where each row starts and ends."""
    ends = np.concatenate([[0], np.cumsum(batch.counts)])
    steps = batch.tensor(batch.numbers(0)[batch.real])
    return steps, ops.convert_to_tensor(ends, "int64")


def _by_hand(x: Any, mask: Any) -> Any:
    count = mask.sum(1, keepdim=True).clamp(min=1)
    return (x * mask[..., None]).sum(1) / count


def _ragged(row: str, batch: Any) -> Contender:
    import tensorflow as tf

    function = attrgetter(REDUCTIONS[row][0])(tf)

    def call(steps: Any, ends: Any) -> Any:
        ragged = tf.RaggedTensor.from_row_splits(steps, ends, validate=False)
        y = function(ragged, axis=1)
        return y.flat_values if row == "softmax" else y

    return Contender(call, _packed(batch))


def _nested(row: str, batch: Any) -> Contender:
    import torch

    function, nested = getattr(torch, REDUCTIONS[row][1]), torch.nested
    least, most = int(batch.counts.min()), int(batch.counts.max())

    def call(steps: Any, ends: Any) -> Any:
        sizes = {"min_seqlen": least, "max_seqlen": most}
        y = function(nested.nested_tensor_from_jagged(steps, ends, **sizes), 1)
        return y.values() if y.is_nested else y

    return Contender(call, _packed(batch))


def _sequence_layers(row: str, batch: Any) -> Contender:
    import jax
    import sequence_layers.jax as sl

    names = {**vars(sl), "dtype": batch.dtype}
    layer = eval(SEQUENCE_LAYERS[row], names).make()
    few = sl.Sequence(batch.x[:1], batch.mask[:1])
    tree = layer.init(jax.random.key(0), few, training=False)
    weights, form = jax.tree.flatten(tree)

    def call(x: Any, mask: Any, *weights: Any) -> Any:
        tree = jax.tree.unflatten(form, weights)
        sequence = sl.Sequence(x, mask)
        return layer.apply(tree, sequence, training=False).values

    return Contender(call, (batch.x, batch.mask, *weights))
