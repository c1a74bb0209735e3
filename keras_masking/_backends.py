"""Queries of backend state for which Keras has no API."""

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

# Numbers of a row from which a fast path pays on PyTorch.
LARGE_ROW = 2**15
# Not imported inside a function, where PyTorch would break its graph.
TORCH: Any = import_module("torch") if backend() == "torch" else None
_SPARSE_TYPES = ("RaggedTensor", "SparseTensor", "IndexedSlices", "BCOO")
_UNKNOWN_TYPES = ("Tracer", "SymbolicTensor")
_SPARSE_FLAGS = ("is_sparse", "is_sparse_csr", "is_nested", "sparse", "ragged")


def is_dense(x: Tensor) -> bool:
    """Whether `x` is an ordinary tensor: neither ragged nor sparse."""
    if TORCH is not None and type(x) is TORCH.Tensor:  # fewer calls
        return x.layout is TORCH.strided and not x.is_nested
    if type(x).__name__ in _SPARSE_TYPES:
        return False
    history = getattr(x, "_keras_history", None)
    if history is not None and not isinstance(history.operation, InputLayer):
        return True  # Keras marks `x * 2.0` as sparse
    kind: Any = type(x)
    flags = _SPARSE_FLAGS if kind is KerasTensor else _flags_of(kind)
    return not any([getattr(x, flag, False) is True for flag in flags])


@cache
def _flags_of(kind: Any) -> list[str]:
    return [flag for flag in _SPARSE_FLAGS if hasattr(kind, flag)]


def is_concrete(x: Tensor) -> bool:
    """Whether `x` is a tensor with values: neither symbolic nor traced."""
    if isinstance(x, KerasTensor) or not hasattr(x, "dtype"):
        return False
    return hasattr(x, "shape") and not type(x).__name__.endswith(_UNKNOWN_TYPES)


def to_numpy_or_none(x: Tensor) -> np.ndarray | None:
    """The value of `x`, or None while a graph is traced.

    Keras has no API for this, and each backend raises a different error. In
    torch.compile, reading the value breaks the graph.
    """
    try:
        return np.asarray(ops.convert_to_numpy(x))
    except Exception:
        return None


def gains_by_fast_paths(x: Tensor) -> bool:
    """Whether `x` is on a CPU and PyTorch is not compiling.

    There another pass over `x` is expensive; compilers for GPUs and
    torch.compile avoid it themselves. Keras has no API for a tensor's device.
    PyTorch's is a loop over rows, which must be large. Inference-only backends
    have neither devices nor the explicit gradients of a fast path.
    """
    if isinstance(x, KerasTensor):
        return False
    if TORCH is None:
        return backend() in ("jax", "tensorflow") and has_only_cpus()
    if torch_traces():  # before code that would break its graph
        return False
    return x.device.type == "cpu" and x.numel() >= LARGE_ROW * x.shape[0]


def multiplies_exactly() -> bool:
    """Whether a product of float32 matrices has all digits of float32.

    On accelerators it may run in fewer, on PyTorch if somebody asked for it.
    """
    if TORCH is None:
        return has_only_cpus()
    exact = TORCH.get_float32_matmul_precision() == "highest"
    return exact and not TORCH.is_autocast_enabled("cpu")


def are_torch_tensors(x: Tensor, y: Tensor) -> bool:
    """Whether both are PyTorch's, on one device: their methods are faster.

    For small tensors Keras' operations take several times as long as PyTorch's,
    since each looks for symbolic tensors and converts its arguments first.
    """
    return is_torch_tensor(x) and is_torch_tensor(y) and x.device == y.device


def is_torch_tensor(x: Any) -> bool:
    """Whether `x` is PyTorch's tensor."""
    return TORCH is not None and isinstance(x, TORCH.Tensor)


def at_least_one(x: Tensor) -> Tensor:
    """Whole floats of 0 or more, with 1 for 0."""
    # `ops.maximum(x, 1)` takes ten times as long on PyTorch.
    return x.clamp(min=1) if is_torch_tensor(x) else abs(x - 0.5) + 0.5


def new_axis(x: Tensor, axis: int) -> Tensor:
    """`x` with another axis, of size 1.

    Not `x[:, None]`, for which LiteRT has no operation of its own.
    """
    if is_torch_tensor(x):  # several times as fast
        return x.unsqueeze(axis)
    return ops.expand_dims(x, axis)


def torch_join(parts: list[Tensor]) -> Tensor:
    """PyTorch's tensors, one after the other along the first axis.

    Keras' operation looks for symbolic tensors among them for longer than the
    work takes, if they are many.
    """
    return TORCH.cat(parts)


def torch_traces() -> bool:
    """Whether PyTorch is compiling, exporting or tracing."""
    if TORCH is None:
        return False
    return bool(TORCH.compiler.is_compiling() or TORCH.jit.is_tracing())


@cache
def has_only_cpus() -> bool:
    """Whether the backend sees no accelerator."""
    return all(name.startswith("cpu") for name in list_devices())


def cond(
    ok: Tensor, first: Callable[[], Any], second: Callable[[], Any]
) -> Any:
    """`first()` if `ok`, else `second()`, which is always right.

    In a traced graph this is `keras.ops.cond`, which outside of one would
    compile at every call in JAX.
    """
    if backend() == "torch":
        try:
            ok = bool(ok)
        except RuntimeError:  # under `vmap` there are several values
            ok = False
    elif not is_concrete(ok):
        return ops.cond(ok, first, second)
    return first() if ok else second()


def with_tangent(
    value: Callable[..., Tensor], tangent: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """`value(x, *others)` on JAX, with an explicit derivative along `x`.

    `tangent(dx, y, x, *others)` is linear in `dx`, so JAX derives the gradient
    by transposition. Keras exposes only JAX's custom gradients, which exclude
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
    """A context that restores the random state at its end.

    torch draws dropout from its own state, not from Keras' seeds, which are
    variables.
    """
    if TORCH is None:
        return nullcontext()
    return TORCH.random.fork_rng(range(TORCH.cuda.device_count()))


def first_batch(feed: Any, steps: int) -> tuple[Any, Any] | None:
    """The first batch of a train function's input, and an equivalent input.

    Args:
        feed: The last argument of `model.train_function`.
        steps: The model's `steps_per_execution`.

    Returns:
        The batch, and a feed that still includes it, valid for one call; or
        None if it is not accessible, as under a `tf.distribute` strategy.
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
    """A tf.data iterator, since Keras is slower with other iterators."""
    tensorflow: Any = import_module("tensorflow")
    dataset = tensorflow.data.Dataset.from_generator(
        lambda: chain([batch], rest), output_signature=spec
    )
    return iter(dataset)
