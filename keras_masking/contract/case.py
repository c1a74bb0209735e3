"""A layer to check, how to call it, and what its author declares about it."""

import inspect
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any
from typing import ClassVar

import keras

from keras_masking.errors import first_words
from keras_masking.names import ROLES


class TargetError(ValueError):
    """The target cannot be checked; the message says why."""


@dataclass(frozen=True)
class Case:
    """A layer to check.

    Args:
        layer: A layer class that needs no arguments, a function without
            arguments that returns a layer, or a layer (it is copied by its
            config; a function is better).
        name: The name in reports. Defaults to the class name of the layer.
        role: What the layer does with a mask: `"generates"`, `"passes"`,
            `"transforms"`, `"reduces"`, `"merges"` or `"drops"`. Inferred if
            not given, but never as `"drops"`.
        inputs: An example input: an array `(batch, steps, ...)`, a list or a
            dict of them, or a tuple for a layer whose `call` takes several
            arguments. Arrays of rank 2 or more are sequences and get a mask,
            see `sequences`. Defaults to floats of shape `(3, 6, 4)`.
        call_kwargs: Further arguments of each call. Arrays in it are passed
            unchanged and have one row for each sequence.
        sequences: Which inputs are sequences, by their positions in a list or
            tuple or their keys in a dict, if some have other axes, for example
            `(batch, features)`.
        mask_argument: Where the layer takes its mask, if not as Keras passes
            masks: the name of an argument of `call`, for example
            `"padding_mask"`, or the position or key of an element of `inputs`.
            All checks then put their masks there, and no tensor carries one.
            An example of the mask, in `inputs` or `call_kwargs`, shows its
            form: the axes `(batch, steps)`, `(batch, 1, steps)` or `(batch,
            steps, steps)`; and booleans, 0 and 1, or 0 and large negative
            numbers. Without an example: booleans `(batch, steps)`.
        columns: Whether the layer is defined by columns of the padded array, as
            cropping is, so that more padding changes which steps it uses.
        requires_mask: Whether the layer raises without a mask. Checks that call
            it without one are then n/a.
        packed_gap: How many padding steps must part two sequences that stand in
            one row, for a layer that takes packed rows: each then gives what it
            gives alone. Defaults to 1 if `packed` or `max_segments` of the
            layer is set, else such rows are not tried.
        packed_align: The number of steps of which the start of each sequence
            must be a multiple, for example the strides. Defaults to 1.
        reason: Why `columns` or `requires_mask` is set.
        expected_failures: Check ids that may fail, each with a reason.
        script: A line of Python that makes the layer, for the scripts that
            reproduce failures.
    """

    layer: Any
    name: str = ""
    role: str | None = None
    inputs: Any = None
    call_kwargs: Mapping[str, Any] = field(default_factory=dict)
    sequences: Sequence[int | str] | None = None
    mask_argument: str | int | None = None
    columns: bool = False
    requires_mask: bool = False
    packed_gap: int | None = None
    packed_align: int = 1
    reason: str = ""
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    script: str = ""

    kind: ClassVar[str] = "layer"

    def __post_init__(self) -> None:
        if self.role is not None and self.role not in ROLES:
            raise TargetError(
                f"`role` must be one of {', '.join(ROLES)}. "
                f"Received: role={self.role!r}."
            )
        if self.columns and not self.reason:
            raise TargetError(
                "`columns=True` needs a `reason`: which columns define the "
                "layer."
            )
        if self.requires_mask and not self.reason:
            raise TargetError(
                "`requires_mask=True` needs a `reason`: why the layer needs a "
                "mask."
            )
        if not self.name:
            object.__setattr__(self, "name", _name(self.layer))

    def __str__(self) -> str:
        return self.name

    def make(self) -> Any:
        """Returns a new layer."""
        made = self._make()
        if isinstance(made, keras.layers.Layer):
            return made
        raise TargetError(
            f"{self.name} is not a layer: it returned {type(made).__name__}. "
            "Pass a layer class, or a function that returns a layer."
        )

    def _make(self) -> Any:
        if isinstance(self.layer, keras.layers.Layer):
            return copy_by_config(self.name, self.layer, "check_layer")
        return create(self.name, self.layer, "TheLayer(units=4)")


def create(name: str, make: Any, example: str) -> Any:
    """What `make` returns, or a `TargetError`."""
    try:
        return make()
    except Exception as error:
        raise TargetError(
            f"{name} cannot be created: {type(error).__name__}: "
            f"{first_words(error)}. If it needs arguments, pass a function: "
            f"`lambda: {example}`."
        ) from error


def copy_by_config(name: str, made: Any, check: str) -> Any:
    """A new object of the same config, or a `TargetError`."""
    kind = type(made)
    try:
        return kind.from_config(made.get_config())
    except Exception as error:
        raise TargetError(
            f"{name} cannot be copied by its config ({first_words(error)}). "
            f"Pass a function that makes it: "
            f"`{check}(lambda: {kind.__name__}(...))`."
        ) from error


def with_options(kind: Any, target: Any, **options: Any) -> Any:
    """`target` as a case of `kind`, with those options that are not None."""
    given = {k: v for k, v in options.items() if v is not None}
    if isinstance(target, kind):
        return replace(target, **given)
    return kind(target, **given)


def as_case(target: Any, **options: Any) -> Case:
    """A `Case` of a layer class, a factory, a layer, or a `Case`."""
    if isinstance(target, Case):
        return target
    is_layer = isinstance(target, keras.layers.Layer)
    if not is_layer and not callable(target):
        raise TargetError(
            "A target must be a layer class, a function that returns a layer, "
            f"a layer, or a `Case`. Received: {target!r}."
        )
    given = inspect.isclass(target)
    if given and not issubclass(target, keras.layers.Layer):
        raise TargetError(
            "A target must be a layer. Received: the class "
            f"{target.__name__}, which is not a `keras.layers.Layer`. For a "
            "loss or metric, pass a `LossCase` or `MetricCase`."
        )
    return Case(target, **options)


def _name(layer: Any) -> str:
    if isinstance(layer, keras.layers.Layer):
        return type(layer).__name__
    name = getattr(layer, "__name__", type(layer).__name__)
    if name == "<lambda>":
        made: Callable[[], Any] = layer
        try:
            return type(made()).__name__
        except Exception:
            return "layer"
    return str(name)
