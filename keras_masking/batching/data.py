"""Sequences with their targets and weights, and the batches made of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_masking.batching.columns import Column
from keras_masking.batching.columns import check_no_nan_ids
from keras_masking.batching.columns import check_padding_is_told
from keras_masking.batching.columns import check_same_count
from keras_masking.batching.columns import check_same_lengths
from keras_masking.batching.columns import items_of
from keras_masking.batching.columns import leaves
from keras_masking.batching.columns import map_leaves
from keras_masking.batching.columns import named
from keras_masking.batching.columns import read_rows
from keras_masking.batching.columns import read_sequences
from keras_masking.batching.rows import Layout
from keras_masking.errors import describe

# How a model gets the mask.
MASKS = "ids", "lengths", "mask"


@dataclass(frozen=True)
class Data:
    """The columns of all sequences.

    Attributes:
        lengths: The number of steps of each sequence.
        inputs: A column, or a dict or tuple of them.
        targets: The same, or None.
        weights: Columns like those of `targets`, or None.
        mask: How a model gets the mask: "ids", "lengths" or "mask".
    """

    lengths: np.ndarray
    inputs: Any
    targets: Any
    weights: Any
    mask: str

    def batch(self, layout: Layout) -> tuple[Any, ...]:
        """`(x,)`, `(x, y)` or `(x, y, sample_weight)`."""

        def place(column: Column) -> np.ndarray:
            return column.place(layout)

        x = map_leaves(place, self.inputs)
        if self.mask == "lengths":
            x = self._with(x, layout.lengths)
        elif self.mask == "mask":
            x = self._with(x, layout.mask)
        if self.targets is None:
            return (x,)
        y = map_leaves(place, self.targets)
        if self.weights is None:
            return x, y
        return x, y, map_leaves(place, self.weights)

    def _with(self, x: Any, last: np.ndarray) -> Any:
        if isinstance(x, dict):
            return {**x, self.mask: last}
        return (*x, last) if isinstance(x, tuple) else (x, last)


def read_data(
    caller: str,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    static: Iterable[Any] = (),
    per_step: bool | None = None,
    pad_value: Any = 0,
    mask: str = "ids",
    weigh: bool = False,
) -> Data:
    """Reads and checks the data; with `weigh` there are weights in any case."""
    inputs, lengths = _inputs(caller, x, static, pad_value)
    if mask != "ids" and isinstance(x, dict) and mask in x:
        raise ValueError(
            describe(
                caller,
                f"the batches get the input {mask!r}, a name that is taken.",
                "Rename your input.",
                inputs=list(x),
            )
        )
    steps = [c for c in leaves(inputs).values() if c.per_step]
    check_no_nan_ids(caller, steps)
    if mask == "ids":
        check_padding_is_told(caller, steps, pad_value)
    if y is None:
        if sample_weight is not None:
            raise ValueError(
                describe(
                    caller,
                    "`sample_weight` is for targets.",
                    "Pass `y` too.",
                    y=None,
                )
            )
        return Data(lengths, inputs, None, None, mask)
    targets = {
        key: read_target(caller, named("y", key), leaf, lengths, per_step)
        for key, leaf in leaves(y).items()
    }
    weights = None
    if sample_weight is None and weigh:
        sample_weight = np.ones(len(lengths), "float32")
    if sample_weight is not None:
        weights = _like(y, _weights(caller, sample_weight, targets, lengths))
    return Data(lengths, inputs, _like(y, targets), weights, mask)


def _like(structure: Any, columns: dict[Any, Column]) -> Any:
    if isinstance(structure, dict):
        return columns
    values = tuple(columns.values())
    return values if isinstance(structure, tuple) else values[0]


def _inputs(
    caller: str, x: Any, static: Iterable[Any], pad_value: Any
) -> tuple[Any, np.ndarray]:
    given = leaves(x)
    static = set(static)
    if static - set(given) or not set(given) - static:
        raise ValueError(
            describe(
                caller,
                "`static` must name inputs, but not all of them.",
                "Pass the keys of a dict of inputs, or the positions in a "
                "tuple.",
                static=sorted(map(repr, static)),
                inputs=[key for key in given if key is not None],
            )
        )
    sequences = {key: leaf for key, leaf in given.items() if key not in static}
    columns = {
        key: read_sequences(caller, named("x", key), leaf, pad_value)
        for key, leaf in sequences.items()
    }
    lengths = check_same_lengths(caller, columns)
    for key in static:
        name = named("x", key)
        columns[key] = read_rows(caller, name, given[key])
        check_same_count(caller, name, len(columns[key].values), len(lengths))
    return _like(x, {key: columns[key] for key in given}), lengths


def read_target(
    caller: str,
    name: str,
    values: Any,
    lengths: np.ndarray,
    per_step: bool | None,
) -> Column:
    items = items_of(caller, name, values)
    check_same_count(caller, name, len(items), len(lengths))
    if per_step is None:
        per_step = _has_steps(caller, name, items, lengths)
    if not per_step:
        return read_rows(caller, name, items)
    column = read_sequences(caller, name, items)
    _check_steps(caller, name, column, lengths)
    return column


def _has_steps(caller: str, name: str, items: Any, lengths: np.ndarray) -> bool:
    """Whether there is a target for each step, by the shapes."""
    counts = np.array([(np.shape(item) or (-1,))[0] for item in items])
    if np.any(counts != counts[0]):
        return True  # whether they fit is tested
    if counts[0] < 0 or np.any(lengths != counts[0]):
        return False
    raise ValueError(
        describe(
            caller,
            f"`{name}` may be per step or per sequence: all sequences have as "
            "many steps as their target has entries.",
            "Pass per_step=True or per_step=False.",
            steps=counts[0],
        )
    )


def _check_steps(
    caller: str, name: str, column: Column, lengths: np.ndarray
) -> None:
    found = np.array([len(a) for a in column.values])
    differ = np.flatnonzero(found != lengths)
    if differ.size:
        i = differ[0]
        raise ValueError(
            describe(
                caller,
                f"`{name}` must have one entry for each step.",
                "Pad neither of them: batches are padded here.",
                sequence=i,
                steps=lengths[i],
                entries=found[i],
                sequences=f"{differ.size} of {len(lengths)}",
            )
        )


def _weights(
    caller: str, given: Any, targets: dict[Any, Column], lengths: np.ndarray
) -> dict[Any, Column]:
    """The weights of each target: per step if it is."""
    several = leaves(given)
    if None in several:  # one for all targets
        several = dict.fromkeys(targets, given)
    if set(several) != set(targets):
        raise ValueError(
            describe(
                caller,
                "`sample_weight` must be one for all targets, or like `y`.",
                "Pass weights of 1 for the others.",
                sample_weight=list(several),
                y=list(targets),
            )
        )
    return {
        key: _weight(
            caller, named("sample_weight", key), several[key], target, lengths
        )
        for key, target in targets.items()
    }


def _weight(
    caller: str, name: str, values: Any, target: Column, lengths: np.ndarray
) -> Column:
    items = items_of(caller, name, values)
    check_same_count(caller, name, len(items), len(lengths))
    if np.ndim(items[0]) == 0:
        column = read_rows(caller, name, items)
        if not target.per_step:
            return column
        # Keras takes weights (batch,) of steps for weights (steps,).
        spread = [
            np.broadcast_to(weight, (length,))
            for weight, length in zip(column.values, lengths.tolist())
        ]
        return Column(spread, column.dtype, True)
    column = read_sequences(caller, name, items)
    if not target.per_step or column.values[0].ndim > 1:
        raise ValueError(
            describe(
                caller,
                f"`{name}` must have one weight for each sequence, or for each "
                "step if the targets have steps.",
                "Pass weights of shape (sequences,).",
                shape_of_the_first=column.values[0].shape,
            )
        )
    _check_steps(caller, name, column, lengths)
    return column
