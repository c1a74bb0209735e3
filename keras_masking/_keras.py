"""The one place that reads what Keras keeps private."""

import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
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
from keras import version
from keras.config import backend
from keras.distribution import list_devices
from keras.layers import InputLayer
from keras.src.backend.common import masking
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.losses.loss import scale_loss_for_distribution
from keras.src.models.functional import Functional
from keras.src.saving import serialization_lib
from keras.src.trainers.data_adapters import data_adapter_utils
from keras.src.utils import rng_utils

from keras_masking._types import Tensor

_SINCE_3_14 = [int(n) for n in version().split(".")[:2]] >= [3, 14]
# Since 3.14 a layer keeps the masks of the inputs that it casts.
KEEPS_MASKS_OF_CASTS = _SINCE_3_14
# Since 3.14 the penalty of an activity regularizer is divided by the rows.
DIVIDES_PENALTIES = _SINCE_3_14
# Since 3.16 JAX gets the batches of several steps as one, stacked.
_STACKS_BATCHES = hasattr(data_adapter_utils, "PartialBatchList")
# Elements from which PyTorch gains by a shortcut: 1 MiB of float32.
WORTHWHILE = 2**18
# Not imported by a function: PyTorch would break its graph there.
_TORCH: Any = import_module("torch") if backend() == "torch" else None
# The method of a BatchNormalization for mean and variance in training.
MOMENTS = "_moments"
_SPARSE_TYPES = ("RaggedTensor", "SparseTensor", "IndexedSlices", "BCOO")
_UNKNOWN_TYPES = ("Tracer", "SymbolicTensor")
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
    """Whether `model` was made of symbolic tensors, and runs as they say."""
    own = type(model).call is not Functional.call
    return isinstance(model, Functional) and not own


def graph_calls(model: Any) -> list[Any]:
    """The calls in a Functional model's graph, in an order to run them.

    Without those that make nothing but masks that Keras wrote into the graph.
    """
    needed = {id(x) for x in model.outputs}
    calls = []
    for depth in sorted(model._nodes_by_depth):  # from the outputs on
        for node in model._nodes_by_depth[depth]:
            asked = any(id(y) in needed for y in node.outputs)
            if asked and node.operation and not node.is_input:
                masks = tree.flatten(carried_mask(node))
                inputs = node.input_tensors
                needed |= {
                    id(x) for x in inputs if all(x is not m for m in masks)
                }
                calls.append(node)
    return calls[::-1]


def carried_mask(node: Any) -> Any:
    """The `mask` of a call in a graph, if it is what the inputs carried.

    Up to Keras 3.15 a graph holds that as if somebody had passed it.
    """
    args, kwargs = node.arguments.args, node.arguments.kwargs
    passed = [m for m in tree.flatten(kwargs.get("mask")) if m is not None]
    carried = [get_mask(x) for x in tree.flatten(args[:1])]
    known = all(any(m is c for c in carried) for m in passed)
    return kwargs.get("mask") if known else None


def with_sublayers(layer: Any) -> list[Any]:
    """A layer and the layers in it; an operation has none."""
    inside = getattr(layer, "_flatten_layers", None)
    return [layer] if inside is None else inside()


def is_rehearsal() -> bool:
    """Whether Keras runs a `call` with stand-ins, to learn its shapes.

    They carry none of the masks that the tensors will have.
    """
    return bool(in_symbolic_scope())


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


@contextmanager
def losses_kept(model: Any) -> Iterator[None]:
    """Puts back what layers gave `add_loss`, which the next call clears."""
    kept = [
        (x, x._losses[:], x._loss_ids.copy()) for x in with_sublayers(model)
    ]
    try:
        yield
    finally:
        for layer, losses, ids in kept:
            layer._losses[:] = losses
            layer._loss_ids.clear()
            layer._loss_ids.update(ids)


def is_known(x: Tensor) -> bool:
    """Whether `x` is a tensor with numbers: not symbolic, and not traced."""
    if isinstance(x, KerasTensor) or not hasattr(x, "dtype"):
        return False
    return hasattr(x, "shape") and not type(x).__name__.endswith(_UNKNOWN_TYPES)


def known_value(x: Tensor) -> np.ndarray | None:
    """The value of `x`, or None while a graph is traced.

    Keras has no question for this, and each backend raises another error.
    Where PyTorch compiles, this breaks its graph in two to read the value.
    """
    try:
        return np.asarray(ops.convert_to_numpy(x))
    except Exception:
        return None


def gains_by_shortcuts(x: Tensor) -> bool:
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
    if x.device.type != "cpu" or x.numel() < WORTHWHILE:
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


def choose(
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
    elif not is_known(ok):
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


class _IfImported:
    """TensorFlow as Keras asks for it, and not there unless it was imported."""

    @property
    def available(self) -> bool:
        return "tensorflow" in sys.modules

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("tensorflow"), name)


def spare_tensorflow() -> None:
    """Keeps Keras from importing TensorFlow, for seconds, on other backends.

    It does so to seed it, and to tell its types from others: of a module that
    nobody has imported there are none. For a process of our own.
    """
    if backend() != "tensorflow":
        rng_utils.tf = serialization_lib.tf = _IfImported()


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
        if steps > 1 and _STACKS_BATCHES:
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
