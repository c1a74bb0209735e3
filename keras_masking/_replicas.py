"""Replicas and processes that train on parts of one global batch.

Keras has no operation for a sum over them: TensorFlow's strategies and
`torch.distributed` are asked themselves. On JAX a global batch is one array.
"""

import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any
from typing import Literal
from typing import NamedTuple
from typing import TypeAlias

from keras import ops
from keras.config import backend

from keras_masking._keras import FIT_AVERAGES_PROCESSES
from keras_masking._keras import in_symbolic_call
from keras_masking._keras import process_group
from keras_masking._types import Tensor
from keras_masking.errors import MaskWarning
from keras_masking.errors import describe

Synchronized: TypeAlias = bool | Literal["auto"]
_WARNED: set[str] = set()


class Replicas(NamedTuple):
    """The replicas whose gradients a trainer combines.

    `averages`: the combined gradient is the mean of theirs, not the sum.
    `add`: the sum of a tensor over them, without a gradient.
    """

    number: int
    averages: bool
    add: Callable[[Tensor], Tensor]

    def divide(
        self, total: Tensor, count: Tensor, fixed: float | None
    ) -> Tensor:
        """The sum of all totals by that of the counts, or by `fixed`.

        The gradient is that of the own total, such that the combined gradient
        is that of the value, which is the same on all replicas.
        """
        whole = self.add(ops.stack([total, count]))
        count = whole[1] if fixed is None else ops.full_like(count, fixed)
        mine = ops.divide_no_nan(total, count)
        value = ops.divide_no_nan(whole[0], count)
        if self.averages:
            mine = mine * self.number
        else:  # Keras multiplies the loss that it reports by the number
            value = value / self.number
        return mine + ops.stop_gradient(value - mine)


def find_replicas(caller: str, synchronized: Synchronized) -> Replicas | None:
    """The replicas of which this is one, or None if it is alone."""
    if not synchronized or in_symbolic_call():
        return None
    if backend() == "tensorflow":
        return _replicas_of_strategy()
    if backend() == "torch":
        return _processes(caller, synchronized)
    return None


def _replicas_of_strategy() -> Replicas | None:
    tensorflow: Any = import_module("tensorflow")
    context = tensorflow.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None

    def add(x: Tensor) -> Tensor:
        return context.all_reduce("SUM", tensorflow.stop_gradient(x))

    return Replicas(context.num_replicas_in_sync, False, add)


def _processes(caller: str, synchronized: Synchronized) -> Replicas | None:
    distributed: Any = import_module("torch.distributed")
    if not distributed.is_available() or not distributed.is_initialized():
        return None
    group = None
    if synchronized == "auto":
        if not FIT_AVERAGES_PROCESSES:
            _warn(caller, distributed.get_world_size())
            return None
        parallel, group = process_group()
        if not parallel:
            return None
    number = distributed.get_world_size(group)
    if number == 1:
        return None

    def add(x: Tensor) -> Tensor:
        total = x.detach().clone()
        distributed.all_reduce(total, group=group)
        return total

    return Replicas(number, True, add)


def _warn(caller: str, processes: int) -> None:
    if processes == 1 or caller in _WARNED:
        return
    _WARNED.add(caller)
    warnings.warn(
        describe(
            caller,
            "this Keras does not average gradients over processes: `fit` "
            "trains each of them alone, on its own real steps.",
            "In a loop of your own with PyTorch's `DistributedDataParallel`, "
            "pass `synchronized=True`. If the processes are to train apart, "
            "pass `synchronized=False`.",
            processes=processes,
        ),
        MaskWarning,
        stacklevel=4,
    )


def check_synchronized(caller: str, synchronized: Any) -> Synchronized:
    """`synchronized`, if it is one of its values."""
    if isinstance(synchronized, bool) or synchronized == "auto":
        found: Synchronized = synchronized
        return found
    raise ValueError(
        describe(
            caller,
            "`synchronized` must be 'auto', True or False.",
            "'auto' is right where Keras' `fit` trains.",
            synchronized=repr(synchronized),
        )
    )
