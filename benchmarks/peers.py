"""What others write for the same job, where their package is installed.

`sequence-layers` of Google on JAX, ragged tensors of TensorFlow, nested tensors
of PyTorch and the line that is written there by hand. A ragged or nested tensor
holds the real steps alone, so it reads less memory than a padded one; it is
made from them inside the function, which moves no number.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from keras import ops

from benchmarks.row import Contender

REAL = "reads real steps alone"
PACKAGE = {"jax": "sequence-layers", "torch": "nested", "tensorflow": "ragged"}


def peers(row: str, backend: str, batch: Any) -> dict[str, Contender | str]:
    """Contenders by name; for one that cannot run, why."""
    found = {"jax": _sequence_layers, "torch": _torch, "tensorflow": _ragged}
    return found[backend](row, batch)


def _ragged(row: str, batch: Any) -> dict[str, Contender | str]:
    import tensorflow as tf

    functions = {
        "mean": tf.reduce_mean,
        "sum": tf.reduce_sum,
        "variance": tf.math.reduce_variance,
        "max": tf.reduce_max,
        "min": tf.reduce_min,
        "softmax": tf.nn.softmax,
    }
    if row not in functions:
        return {}
    function = functions[row]

    def call(steps: Any, offsets: Any) -> Any:
        ragged = tf.RaggedTensor.from_row_splits(steps, offsets, validate=False)
        y = function(ragged, axis=1)
        return y.flat_values if row == "softmax" else y

    return {"ragged": Contender(call, (), _steps, REAL)}


def _torch(row: str, batch: Any) -> dict[str, Contender | str]:
    import torch

    shortest, longest = int(batch.lengths.min()), int(batch.lengths.max())

    def nested(function: Callable[[Any], Any]) -> Contender:
        def call(steps: Any, offsets: Any) -> Any:
            jagged = torch.nested.nested_tensor_from_jagged(
                steps, offsets, min_seqlen=shortest, max_seqlen=longest
            )
            y = function(jagged)
            return y.values() if y.is_nested else y

        return Contender(call, (), _steps, REAL)

    def by_hand(x: Any, mask: Any) -> Any:
        count = mask.sum(1, keepdim=True).clamp(min=1)
        return (x * mask[..., None]).sum(1) / count

    result: dict[str, Contender | str] = {}
    if row == "mean":
        result["by hand"] = Contender(by_hand, note="lets NaN through")
    functions: dict[str, Callable[[Any], Any]] = {
        "mean": lambda n: n.mean(1),
        "sum": lambda n: n.sum(1),
        "variance": lambda n: n.var(1),
        "max": lambda n: n.amax(1),
        "min": lambda n: n.amin(1),
        "softmax": lambda n: torch.softmax(n, 1),
        "logsumexp": lambda n: torch.logsumexp(n, 1),
    }
    if row in functions:
        result["nested"] = nested(functions[row])
    return result


def _steps(batch: Any) -> tuple[Any, ...]:
    return (
        ops.convert_to_tensor(batch.steps, batch.dtype),
        ops.convert_to_tensor(batch.offsets, "int64"),
    )


def _sequence_layers(row: str, batch: Any) -> dict[str, Contender | str]:
    """Their layer of the same arguments, which takes values and mask."""
    same: dict[str, Any] = {"padding": "same"}
    config: dict[str, tuple[str, dict[str, Any]]] = {
        "conv_64": ("Conv1D", {"filters": 64, "kernel_size": 3} | same),
        "conv_256": ("Conv1D", {"filters": 256, "kernel_size": 3} | same),
        "depthwise": ("DepthwiseConv1D", {"kernel_size": 3} | same),
        "average_2": ("AveragePooling1D", {"pool_size": 2, "strides": 2}),
        "average_4": ("AveragePooling1D", {"pool_size": 4, "strides": 4}),
        "average_3_1": ("AveragePooling1D", {"pool_size": 3} | same),
        "max_2": ("MaxPooling1D", {"pool_size": 2, "strides": 2}),
        "max_4": ("MaxPooling1D", {"pool_size": 4, "strides": 4}),
        "max_3_1": ("MaxPooling1D", {"pool_size": 3} | same),
        "group_norm": ("GroupNormalization", {"num_groups": 8}),
        "lstm": ("LSTM", {"units": 128}),
        "multi_head": (
            "DotProductSelfAttention",
            {
                "num_heads": 8,
                "units_per_head": 32,
                "max_past_horizon": -1,
                "max_future_horizon": -1,
            },
        ),
    }
    if row not in config:
        return {}
    name = PACKAGE["jax"]
    if find_spec("sequence_layers") is None:
        return {name: "not installed"}
    import jax
    import sequence_layers.jax as sl

    kind, arguments = config[row]
    if "Average" in kind:
        arguments = arguments | {"masked_average": True}
    if "Conv" in kind or kind == "LSTM":
        arguments = arguments | {"compute_dtype": batch.dtype}
    layer = getattr(sl, kind).Config(**arguments).make()
    few = sl.Sequence(batch.x[:1], batch.mask[:1])
    tree = layer.init(jax.random.key(0), few, training=False)
    weights, form = jax.tree.flatten(tree)

    def call(x: Any, mask: Any, *weights: Any) -> Any:
        tree = jax.tree.unflatten(form, weights)
        sequence = sl.Sequence(x, mask)
        return layer.apply(tree, sequence, training=False).values

    return {name: Contender(call, (), lambda b: (b.x, b.mask, *weights))}
