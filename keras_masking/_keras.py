"""The only module that uses private names of Keras."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from keras import Model
from keras import distribution
from keras import tree
from keras import version
from keras.config import backend
from keras.src import backend as private
from keras.src.backend.common import masking
from keras.src.backend.common import tensor_attributes
from keras.src.backend.common.symbolic_scope import in_symbolic_scope
from keras.src.losses.loss import scale_loss_for_distribution
from keras.src.models.functional import Functional
from keras.src.saving import serialization_lib
from keras.src.trainers.data_adapters import data_adapter_utils
from keras.src.utils import rng_utils

from keras_masking._types import Tensor

# Since 3.16 the kernels are in a module, which had been a function.
_KERNELS = private.rnn if hasattr(private.rnn, "lstm") else private
_SINCE_3_14 = [int(n) for n in version().split(".")[:2]] >= [3, 14]
# Since 3.14 a layer keeps the masks of inputs that it casts.
KEEPS_MASKS_OF_CASTS = _SINCE_3_14
# Since 3.14 an activity penalty is divided by the number of rows.
DIVIDES_PENALTIES = _SINCE_3_14
# Since 3.16 JAX gets the batches of several steps stacked.
STACKS_BATCHES = hasattr(data_adapter_utils, "PartialBatchList")
# Since 3.16 `fit` averages the gradients of PyTorch's processes.
FIT_AVERAGES_PROCESSES = hasattr(Model, "_initialize_ddp")
# The BatchNormalization method for mean and variance in training.
MOMENTS = "_moments"


def fused_lstm(*args: Any, **kwargs: Any) -> Any:
    """The LSTM kernel of the backend: last output, outputs, and states.

    Raises `NotImplementedError` where there is none.
    """
    return _KERNELS.lstm(*args, **kwargs)


def fused_gru(*args: Any, **kwargs: Any) -> Any:
    """The same for a GRU."""
    return _KERNELS.gru(*args, **kwargs)


def run_cell(*args: Any, **kwargs: Any) -> Any:
    """The loop of the backend over the steps of a sequence, for any cell."""
    return _KERNELS.rnn(*args, **kwargs)


def get_mask(x: Tensor) -> Tensor | None:
    """The mask that `x` carries."""
    return masking.get_keras_mask(x)


def set_mask(x: Tensor, mask: Tensor) -> None:
    """Makes `x` carry `mask`."""
    masking.set_keras_mask(x, mask)


def get_note(x: Tensor, name: str) -> Any:
    """What `x` carries under `name`, like its mask, or None."""
    return tensor_attributes.get_tensor_attr(x, name)


def set_note(x: Tensor, name: str, value: Any) -> None:
    """Makes `x` carry `value`."""
    tensor_attributes.set_tensor_attr(x, name, value)


def scale_loss(loss: Tensor) -> Tensor:
    """A replica's share of a mean under a `tf.distribute` strategy.

    Elsewhere `loss` unchanged.
    """
    return scale_loss_for_distribution(loss)


def process_group() -> tuple[bool, Any]:
    """Whether `fit` averages gradients over processes, and their group.

    The group is None if it is all processes. Since Keras 3.16.
    """
    active = distribution.distribution()
    if active is None:
        return True, None
    if not isinstance(active, distribution.DataParallel):
        return False, None
    mesh = active.device_mesh.backend_mesh
    return True, mesh.get_group(active.batch_dim_name)


def is_functional(model: Any) -> bool:
    """Whether `model` is Functional and runs by its graph."""
    own = type(model).call is not Functional.call
    return isinstance(model, Functional) and not own


def graph_calls(model: Any) -> list[Any]:
    """The calls in the graph of a Functional model, in topological order.

    Without the calls that only compute masks, which Keras adds to the graph.
    """
    needed = {id(x) for x in model.outputs}
    calls = []
    for depth in sorted(model._nodes_by_depth):  # starting at the outputs
        for node in model._nodes_by_depth[depth]:
            is_needed = any(id(y) in needed for y in node.outputs)
            if is_needed and node.operation and not node.is_input:
                masks = tree.flatten(carried_mask(node))
                inputs = node.input_tensors
                needed |= {
                    id(x) for x in inputs if all(x is not m for m in masks)
                }
                calls.append(node)
    return calls[::-1]


def carried_mask(node: Any) -> Any:
    """The `mask` of a call in a graph, if the inputs carried it.

    Up to Keras 3.15 a graph stores it like an explicit argument.
    """
    args, kwargs = node.arguments.args, node.arguments.kwargs
    passed = [m for m in tree.flatten(kwargs.get("mask")) if m is not None]
    carried = [get_mask(x) for x in tree.flatten(args[:1])]
    known = all(any(m is c for c in carried) for m in passed)
    return kwargs.get("mask") if known else None


def with_sublayers(layer: Any) -> list[Any]:
    """A layer and its sublayers; an operation has none."""
    inside = getattr(layer, "_flatten_layers", None)
    return [layer] if inside is None else inside()


def in_symbolic_call() -> bool:
    """Whether Keras is running `call` symbolically, to infer shapes.

    The symbolic tensors do not carry the masks of the real ones.
    """
    return bool(in_symbolic_scope())


@contextmanager
def losses_kept(model: Any) -> Iterator[None]:
    """Restores the losses from `add_loss`, which the next call clears."""
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


@contextmanager
def any_input_shape(layers: list[Any]) -> Iterator[None]:
    """Lets Functional models take other shapes than those of their inputs."""
    models = [
        x
        for x in layers
        if isinstance(x, Functional) and "_manual_input_spec" not in vars(x)
    ]
    for model in models:
        model._manual_input_spec = None
    try:
        yield
    finally:
        for model in models:
            del model._manual_input_spec


class _IfImported:
    """Keras' lazy TensorFlow module, available only if already imported."""

    @property
    def available(self) -> bool:
        return "tensorflow" in sys.modules

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module("tensorflow"), name)


def spare_tensorflow() -> None:
    """Stops Keras from importing TensorFlow on other backends, to save seconds.

    Keras imports it to seed it and to recognize its types, neither of which
    matters if nothing else imports it. Only for our own processes.
    """
    if backend() != "tensorflow":
        rng_utils.tf = serialization_lib.tf = _IfImported()


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """The same for a while, in the process of a user."""
    before = rng_utils.tf, serialization_lib.tf
    spare_tensorflow()
    try:
        yield
    finally:
        rng_utils.tf, serialization_lib.tf = before


def adapt_tf2onnx() -> None:
    """Adapts the package `tf2onnx` to NumPy 2, as Keras' own export does."""
    import_module("keras.src.export.tf2onnx_lib").patch_tf2onnx()
