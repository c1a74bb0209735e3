"""What is known about an argument before computing: sizes, values.

A size may be an integer, None, or what a backend uses while tracing: a tensor
under `torch.jit.trace`, a symbol under `torch.export`. Values are known for
concrete tensors, and not for symbolic or traced ones.
"""

from typing import Any

import numpy as np

from keras_masking._arguments import is_whole
from keras_masking._backends import to_numpy_or_none
from keras_masking._backends import torch_traces
from keras_masking._keras import in_symbolic_call
from keras_masking._types import Tensor
from keras_masking.errors import MaskValueError
from keras_masking.errors import describe
from keras_masking.ops.dtypes import dtype_name


def differ(size: Any, other: Any) -> bool:
    """Whether two sizes are known to be unequal.

    Symbols are not compared: `torch.export` would specialize on the size.
    """
    if size is other:
        return False
    return is_whole(size) and is_whole(other) and bool(size != other)


def is_symbol(size: Any) -> bool:
    """Whether a size stands for any number in a traced graph."""
    return size is not None and not is_whole(size)


def value_if_known(x: Tensor) -> np.ndarray | None:
    """The value of `x` if it can be read without breaking a graph."""
    # Checked first, since the next condition would break PyTorch's graph.
    if torch_traces() or in_symbolic_call():
        return None
    return to_numpy_or_none(x)


def check_zeros_and_ones(
    caller: str, name: str, when: str, mask: Tensor
) -> None:
    """Rejects a numeric mask with known values other than 0 and 1."""
    values = value_if_known(mask)
    if values is None:
        return
    wrong = values[(values != 0) & (values != 1)]
    if wrong.size:
        raise MaskValueError(
            describe(
                caller,
                f"`{name}` must be boolean, or 1 {when} and 0 elsewhere.",
                _truth_fix(name, values),
                **{f"{name}.dtype": dtype_name(mask)},
                values=_few(values),
            )
        )


def _few(values: np.ndarray) -> str:
    *first, last = np.unique(values).astype("float64").tolist()
    shown = [*first[:3], "..." if len(first) > 3 else None, last]
    return ", ".join(
        x if isinstance(x, str) else f"{x:g}" for x in shown if x is not None
    )


def _truth_fix(name: str, values: np.ndarray) -> str:
    if np.isnan(values.astype("float64")).any():
        return (
            f"If NaN marks missing values: `{name} = "
            "keras.ops.logical_not(keras.ops.isnan(x))`."
        )
    if np.all(values <= 0):
        return (
            "An additive mask is 0 where this one is True: "
            f"`{name} = keras.ops.equal({name}, 0)`."
        )
    if np.all((values >= 0) & (values == np.floor(values))):
        return (
            f"For ids: `{name} = keras.ops.not_equal(ids, 0)`, with your "
            f"padding id. For lengths: `{name} = "
            "keras_masking.ops.lengths_to_mask(lengths, maxlen)`."
        )
    return (
        f"Weights are not a mask: `{name} = keras.ops.greater({name}, 0)` if "
        "every weight above 0 marks a real step."
    )


def check_lengths(caller: str, lengths: Tensor, steps: Any) -> None:
    """Rejects known lengths that cannot be numbers of steps.

    Args:
        caller: How error messages name the caller.
        lengths: The lengths, of any shape and dtype.
        steps: The number of steps, if known.
    """
    if dtype_name(lengths) == "bool":
        raise ValueError(
            describe(
                caller,
                "`lengths` must be whole numbers, one for each row.",
                "To attach a mask itself: "
                "`keras_masking.layers.AttachMask()(x, mask=mask)`.",
                **{"lengths.dtype": "bool"},
            )
        )
    values = value_if_known(lengths)
    if values is None:
        return
    most = steps if is_whole(steps) else np.inf
    fine = (values >= 0) & (values <= most) & (values == np.floor(values))
    if fine.all():
        return
    limit = f" to {most}, the number of steps" if is_whole(steps) else ""
    fix = "Pass the number of real steps of each row."
    if np.all((values >= 0) & (values == np.floor(values))):
        fix = "If sequences were truncated, pass `np.minimum(lengths, steps)`."
    raise ValueError(
        describe(
            caller,
            f"`lengths` must be whole numbers from 0{limit}.",
            fix,
            lengths=_few(values[~fine]),
        )
    )


def check_classes(
    caller: str, classes: Tensor, number: int, mask: Tensor | None = None
) -> None:
    """Rejects classes that are not integers `(batch, any)` below `number`.

    Only real ones count, if there is a mask. Negative ones are padding without
    a mask.
    """
    if len(classes.shape) != 2 or "int" not in dtype_name(classes):
        raise ValueError(
            describe(
                caller,
                "`y_true` must be integers with two axes, (batch, steps) or "
                "(batch, labels).",
                "Pass the indices of the classes.",
                **{"y_true.shape": tuple(classes.shape)},
                dtype=dtype_name(classes),
            )
        )
    known = value_if_known(classes)
    real = None if mask is None else value_if_known(mask)
    if known is None or (mask is not None and real is None):
        return
    counted = known[known >= 0] if real is None else known[real]
    wrong = counted[(counted < 0) | (counted >= number)]
    if wrong.size:
        raise ValueError(
            describe(
                caller,
                "classes in `y_true` must be smaller than the number of "
                "classes of `y_pred`, and not negative at real steps.",
                "Does `y_pred` have all classes, a blank among them?",
                classes=number,
                wrong=_few(wrong),
            )
        )


def check_segments(caller: str, count: Tensor, number: int) -> None:
    """Rejects known numbers of runs, one for each row, above `number`."""
    values = value_if_known(count)
    if values is None or not values.size or values.max() <= number:
        return
    raise ValueError(
        describe(
            caller,
            "a row must not have more sequences, parted by padding, than "
            "`max_segments`.",
            "Increase `max_segments`, or pack fewer sequences in a row.",
            max_segments=number,
            most=int(values.max()),
            row=int(values.argmax()),
        )
    )


def check_whole_weights(caller: str, weights: Tensor, fix: str) -> bool:
    """Rejects known weights with fractions; returns whether they are known."""
    values = value_if_known(weights)
    if values is None:
        return False
    fractions = values[values != np.floor(values)]
    if fractions.size:
        raise ValueError(
            describe(
                caller,
                "weights must be whole numbers: the metric counts in integers.",
                fix,
                weights=_few(fractions),
            )
        )
    return True
