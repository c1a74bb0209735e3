"""What a backend does now, where Keras has no question for it."""

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from itertools import chain
from itertools import islice
from typing import Any

import numpy as np
from keras import KerasTensor
from keras import ops
from keras import tree
from keras.config import backend
from keras.distribution import list_devices
from keras.layers import InputLayer

from keras_masking._keras import STACKS_BATCHES
from keras_masking._types import Tensor

# Elements from which PyTorch gains by a fast path: 1 MiB of float32.
FAST_PATH_MIN_SIZE = 2**18
# Not imported by a function: PyTorch would break its graph there.
_TORCH: Any = import_module("torch") if backend() == "torch" else None
_SPARSE_TYPES = ("RaggedTensor", "SparseTensor", "IndexedSlices", "BCOO")
_UNKNOWN_TYPES = ("Tracer", "SymbolicTensor")
_SPARSE_FLAGS = ("is_sparse", "is_sparse_csr", "is_nested", "sparse", "ragged")


def is_dense(x: Tensor) -> bool:
    """Whether `x` is an ordinary tensor: neither ragged nor sparse."""
    if type(x).__name__ in _SPARSE_TYPES:
        return False
    history = getattr(x, "_keras_history", None)
    if history is not None and not isinstance(history.operation, InputLayer):
        return True  # Keras says of `x * 2.0` that it is sparse
    kind: Any = type(x)
    flags = _SPARSE_FLAGS if kind is KerasTensor else _flags_of(kind)
    return not any([getattr(x, flag, False) is True for flag in flags])


@cache
def _flags_of(kind: Any) -> list[str]:
    return [flag for flag in _SPARSE_FLAGS if hasattr(kind, flag)]


def is_concrete(x: Tensor) -> bool:
    """Whether `x` is a tensor with numbers: not symbolic, and not traced."""
    if isinstance(x, KerasTensor) or not hasattr(x, "dtype"):
        return False
    return hasattr(x, "shape") and not type(x).__name__.endswith(_UNKNOWN_TYPES)


def to_numpy_or_none(x: Tensor) -> np.ndarray | None:
    """The value of `x`, or None while a graph is traced.

    Keras has no question for this, and each backend raises another error.
    Where PyTorch compiles, this breaks its graph in two to read the value.
    """
    try:
        return np.asarray(ops.convert_to_numpy(x))
    except Exception:
        return None


def gains_by_fast_paths(x: Tensor) -> bool:
    """Whether `x` is computed with now, on a CPU, and by no compiler of torch.

    There reading `x` once more costs; compilers for GPUs save that by
    themselves, and so does torch's. Keras does not tell where a tensor is.
    PyTorch as Keras runs it does one thing after the other: on a small tensor
    reading takes less than asking. Backends that only predict have neither
    devices nor gradients of ours, which a shortcut brings.
    """
    if isinstance(x, KerasTensor):
        return False
    if _TORCH is None:
        return backend() in ("jax", "tensorflow") and _has_only_cpus()
    if torch_traces():  # before what would break its graph
        return False
    if x.device.type != "cpu" or x.numel() < FAST_PATH_MIN_SIZE:
        return False
    # Else a matrix product of float32 may be one of bfloat16.
    exact = _TORCH.get_float32_matmul_precision() == "highest"
    return exact and not _TORCH.is_autocast_enabled("cpu")


def torch_traces() -> bool:
    """Whether PyTorch compiles, exports or traces what is computed."""
    if _TORCH is None:
        return False
    return bool(_TORCH.compiler.is_compiling() or _TORCH.jit.is_tracing())


@cache
def _has_only_cpus() -> bool:
    return all(name.startswith("cpu") for name in list_devices())


def cond(
    ok: Tensor, first: Callable[[], Any], second: Callable[[], Any]
) -> Any:
    """`first()` if `ok`, else `second()`, which is right for any `ok`.

    While a graph is traced it is `keras.ops.cond`. That one compiles at every
    call in JAX otherwise.
    """
    if backend() == "torch":
        try:
            ok = bool(ok)
        except RuntimeError:  # of a batch of values, under `vmap`
            ok = False
    elif not is_concrete(ok):
        return ops.cond(ok, first, second)
    return first() if ok else second()


def with_tangent(
    value: Callable[..., Tensor], tangent: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """JAX's `value(x, *others)`, with its derivative along `x` written out.

    `tangent(dx, y, x, *others)` is linear in `dx`, so that JAX has the gradient
    too: its transpose. Keras has JAX's rule for gradients alone, which refuses
    forward mode.
    """
    jax: Any = import_module("jax")
    function = jax.custom_jvp(value)

    def rule(given: Any, tangents: Any) -> Any:
        y = function(*given)
        return y, tangent(tangents[0], y, *given)

    function.defjvp(rule)
    return function


def random_state_kept() -> AbstractContextManager[Any]:
    """What is drawn inside changes nothing drawn later.

    torch draws dropout from a state of its own, not from Keras' seeds, which
    are variables.
    """
    if _TORCH is None:
        return nullcontext()
    return _TORCH.random.fork_rng(range(_TORCH.cuda.device_count()))


def first_batch(feed: Any, steps: int) -> tuple[Any, Any] | None:
    """The first batch in what a train function is fed, and the same feed.

    Args:
        feed: The last argument of `model.train_function`.
        steps: The model's `steps_per_execution`.

    Returns:
        The batch, and a feed that has it still and is good for one call; or
        None if it cannot be had: a `tf.distribute` strategy hands batches out
        by themselves.
    """
    if isinstance(feed, list):  # torch
        return feed[0], feed
    if backend() != "tensorflow":
        batch = next(feed)
        first = batch
        if steps > 1 and STACKS_BATCHES:
            first = tree.map_structure(lambda x: x[0], batch)
        return first, chain([batch], feed)
    tensorflow: Any = import_module("tensorflow")
    if not isinstance(feed, tensorflow.data.Iterator):
        return None
    batch = next(feed)
    empty = tensorflow.experimental.Optional
    first = tree.map_structure(
        lambda x: None if isinstance(x, empty) else x, batch
    )
    return first, _put_back(batch, islice(feed, steps - 1), feed.element_spec)


def _put_back(batch: Any, rest: Iterator[Any], spec: Any) -> Any:
    """An iterator of tf.data: for others Keras has another, slower way."""
    tensorflow: Any = import_module("tensorflow")
    dataset = tensorflow.data.Dataset.from_generator(
        lambda: chain([batch], rest), output_signature=spec
    )
    return iter(dataset)
