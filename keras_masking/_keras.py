"""The one place that reads what Keras keeps private."""

import numpy as np
from keras import ops
from keras.src.backend.common import masking
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.losses.loss import scale_loss_for_distribution

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
