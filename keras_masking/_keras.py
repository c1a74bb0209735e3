"""The one place that reads what Keras keeps private."""

from typing import Any

import numpy as np
from keras import ops
from keras import tree
from keras.src.backend.common import masking
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.losses.loss import scale_loss_for_distribution
from keras.src.models.functional import Functional

from keras_masking._types import Tensor

_SPARSE_TYPES = ("RaggedTensor", "SparseTensor", "IndexedSlices", "BCOO")
_SPARSE_FLAGS = ("is_sparse", "is_sparse_csr", "is_nested", "sparse", "ragged")


def get_mask(x: Tensor) -> Tensor | None:
    """The mask that `x` carries."""
    return masking.get_keras_mask(x)


def set_mask(x: Tensor, mask: Tensor) -> None:
    """Makes `x` carry `mask`."""
    masking.set_keras_mask(x, mask)


def scale_loss(loss: Tensor) -> Tensor:
    """A mean's share where a `tf.distribute` strategy adds those of replicas.

    Elsewhere `loss` as it is.
    """
    return scale_loss_for_distribution(loss)


def is_functional(model: Any) -> bool:
    """Whether `model` was made of symbolic tensors."""
    return isinstance(model, Functional)


def graph_calls(model: Any) -> list[Any]:
    """The calls in the graph of a Functional model, in an order to run them."""
    depths = sorted(model._nodes_by_depth, reverse=True)
    nodes = [node for d in depths for node in model._nodes_by_depth[d]]
    return [node for node in nodes if node.operation and not node.is_input]


def mask_was_carried(node: Any) -> bool:
    """Whether the `mask` of a call in a graph is what its inputs carried.

    Up to Keras 3.15 a graph holds that as if somebody had passed it.
    """
    args, kwargs = node.arguments.args, node.arguments.kwargs
    passed = [m for m in tree.flatten(kwargs["mask"]) if m is not None]
    carried = [get_mask(x) for x in tree.flatten(args[:1])]
    return all(any(m is c for c in carried) for m in passed)


def is_rehearsal() -> bool:
    """Whether Keras runs a `call` with stand-ins, to learn its shapes.

    They carry none of the masks that the tensors will have.
    """
    return bool(in_symbolic_scope())


def is_dense(x: Tensor) -> bool:
    """Whether `x` is an ordinary tensor: neither ragged nor sparse."""
    if type(x).__name__ in _SPARSE_TYPES:
        return False
    return not any(getattr(x, flag, False) is True for flag in _SPARSE_FLAGS)


def known_value(x: Tensor) -> np.ndarray | None:
    """The value of `x`, or None while a graph is traced.

    Keras has no question for this, and each backend raises another error.
    """
    try:
        return np.asarray(ops.convert_to_numpy(x))
    except Exception:
        return None
