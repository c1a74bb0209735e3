"""The data of batches, read and checked once: inputs, targets, weights."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_masking.batching.rows import Layout
from keras_masking.errors import describe


@dataclass(frozen=True)
class Column:
    """One input, target or weight of all sequences.

    Attributes:
        values: A list of arrays `(steps, ...)`, or, if not `per_step`, an array
            `(sequences, ...)`.
        dtype: The dtype of its batches.
        per_step: Whether it has a value for each step.
        pad_value: What stands at padding steps.
    """

    values: Any
    dtype: np.dtype
    per_step: bool
    pad_value: Any = 0

    def place(self, layout: Layout) -> np.ndarray:
        """The batch that `layout` describes."""
        if self.per_step:
            return layout.place_steps(self.values, self.dtype, self.pad_value)
        return layout.place_rows(self.values, self.dtype)


def map_leaves(function: Callable[[Any], Any], structure: Any) -> Any:
    """Applies a function to each leaf of a dict or tuple, or to a leaf.

    A list is a leaf: it holds sequences.
    """
    if isinstance(structure, dict):
        return {key: function(leaf) for key, leaf in structure.items()}
    if isinstance(structure, tuple):
        return tuple(function(leaf) for leaf in structure)
    return function(structure)


def leaves(structure: Any) -> dict[Any, Any]:
    """The leaves of a dict or tuple by key or position, or a leaf by None."""
    if isinstance(structure, dict):
        return structure
    if isinstance(structure, tuple):
        return dict(enumerate(structure))
    return {None: structure}


def named(name: str, key: Any) -> str:
    """How an error message names a leaf."""
    return name if key is None else f"{name}[{key!r}]"


def read_sequences(
    caller: str, name: str, values: Any, pad_value: Any = 0
) -> Column:
    """A column of sequences: an array `(steps, ...)` for each."""
    items = items_of(caller, name, values)
    arrays = [np.asarray(item) for item in items]
    if not arrays:
        raise ValueError(
            describe(
                caller,
                f"`{name}` must hold at least one sequence.",
                "Check what the data were filtered by.",
                **{f"len({name})": 0},
            )
        )
    for i, array in enumerate(arrays):
        if array.ndim == 0 or array.dtype.kind not in "biuf":
            raise ValueError(
                describe(
                    caller,
                    f"`{name}` must hold sequences of numbers: ids (steps,) or "
                    "features (steps, ...).",
                    "A single sequence goes into a list; inputs without steps "
                    "are named in `static`; words become ids with "
                    "`keras.layers.StringLookup`.",
                    sequence=i,
                    shape=array.shape,
                    dtype=array.dtype,
                )
            )
        if array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                describe(
                    caller,
                    f"all sequences of `{name}` must have the same features.",
                    "Only the first axis, the steps, may differ.",
                    sequence=i,
                    shape=array.shape,
                    first_shape=arrays[0].shape,
                )
            )
    # `[]` is an array of floats, whatever the others are.
    kinds = {a.dtype for a in arrays if len(a)} or {arrays[0].dtype}
    dtype = _dtype(np.result_type(*kinds))
    return Column(
        arrays, dtype, True, fit(caller, "pad_value", pad_value, dtype)
    )


def read_rows(caller: str, name: str, values: Any) -> Column:
    """A column with one value, of any shape, for each sequence."""
    items = items_of(caller, name, values)
    try:
        array = np.asarray(items)
        shape: Any = array.shape
    except ValueError:  # the items differ in shape
        shapes = {np.shape(item) for item in items}
        array, shape = None, sorted(shapes)[:3]
    if array is None or array.ndim == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            describe(
                caller,
                f"`{name}` must hold numbers, of the same shape for each "
                "sequence, or as many as the sequence has steps.",
                "Compare the lengths of both: [len(v) for v in values].",
                shapes=shape,
            )
        )
    return Column(array, _dtype(array.dtype), False)


def check_same_lengths(caller: str, columns: dict[Any, Column]) -> np.ndarray:
    """The lengths of the sequences, which must be those of all inputs."""
    found = {
        key: np.array([len(values) for values in column.values], "int64")
        for key, column in columns.items()
    }
    (first, lengths), *others = found.items()
    for key, theirs in others:
        check_same_count(caller, named("x", key), len(theirs), len(lengths))
        differ = np.flatnonzero(theirs != lengths)
        if differ.size:
            i = differ[0]
            raise ValueError(
                describe(
                    caller,
                    "all inputs of a sequence must have the same number of "
                    "steps.",
                    "Name an input without steps in `static`. The two sides of "
                    "a translation, for example, need other batches.",
                    sequence=i,
                    **{
                        f"steps of {named('x', first)}": lengths[i],
                        f"steps of {named('x', key)}": theirs[i],
                    },
                )
            )
    return lengths


def check_same_count(caller: str, name: str, count: int, wanted: int) -> None:
    """Rejects data for more or fewer sequences than there are."""
    if count != wanted:
        raise ValueError(
            describe(
                caller,
                f"`{name}` must have one entry for each sequence.",
                "Take both from the same data. Several inputs or targets go "
                "into a dict or a tuple, not into a list.",
                **{f"len({name})": count, "sequences": wanted},
            )
        )


def check_no_nan_ids(caller: str, columns: list[Column]) -> None:
    """Rejects sequences `(steps,)` with NaN."""
    for column in columns:
        if column.values[0].ndim > 1 or column.dtype.kind != "f":
            continue
        for i, values in enumerate(column.values):
            if np.isnan(values).any():
                raise ValueError(
                    describe(
                        caller,
                        "ids must be numbers, and not NaN.",
                        "Features may be missing: give them an axis, "
                        "(steps, 1).",
                        sequence=i,
                        step=int(np.argmax(np.isnan(values))),
                    )
                )


def check_padding_is_told(
    caller: str, columns: list[Column], pad_value: Any
) -> None:
    """Rejects real steps that no input tells from padding."""
    for column in columns:
        found = _first_like_padding(column, pad_value)
        if found is None:
            return
        sequence, step = found
    raise ValueError(
        describe(
            caller,
            "a real step must not look like padding: a layer that finds the "
            "padding by its value would take it for padding.",
            "Pass another `pad_value`, or mask='mask' or mask='lengths', which "
            "hand the model a mask or lengths.",
            pad_value=pad_value,
            sequence=sequence,
            step=step,
        )
    )


def items_of(caller: str, name: str, values: Any) -> Any:
    if not isinstance(values, (str, bytes, dict)):
        try:
            len(values)
            return values
        except TypeError:  # a generator, a number, None
            pass
    raise ValueError(
        describe(
            caller,
            f"`{name}` must be a list or an array of sequences.",
            "For a generator, pass `list(generator)`.",
            type=type(values).__name__,
        )
    )


def _dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of a batch: Keras makes its default of float64."""
    return np.dtype(keras.config.floatx()) if dtype == "float64" else dtype


def fit(caller: str, name: str, value: Any, dtype: np.dtype) -> Any:
    """`value` if the dtype has it: -1 is none of uint8, nor NaN of int32."""
    one = np.ndim(value) == 0 and isinstance(value, (int, float, np.number))
    if one:
        with np.errstate(all="ignore"):
            stored = np.array(value).astype(dtype)
        close = dtype.kind == "f" and np.isclose(stored, value, equal_nan=True)
        if close or stored == value:
            return value
    raise ValueError(
        describe(
            caller,
            f"`{name}` must be a number that the dtype of the input has.",
            "Take another one, or convert the sequences, for example with "
            '`sequence.astype("int32")`.',
            **{name: repr(value)},
            dtype=dtype,
        )
    )


def _first_like_padding(
    column: Column, pad_value: Any
) -> tuple[int, int] | None:
    """The first sequence and step of nothing but `pad_value`, if any."""
    for i, values in enumerate(column.values):
        same = (
            np.isnan(values) if pad_value != pad_value else values == pad_value
        )
        axes = tuple(range(1, same.ndim))
        same = same.all(axis=axes) if axes else same
        if same.any():
            return i, int(np.argmax(same))
    return None
