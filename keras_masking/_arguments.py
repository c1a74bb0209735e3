"""Checks of arguments that several parts share."""

from typing import Any

import numpy as np

from keras_masking.errors import describe


def is_whole(value: Any) -> bool:
    """Whether `value` is a Python or NumPy integer, and not a boolean."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def check_integer(
    caller: str,
    name: str,
    value: Any,
    smallest: int = 1,
    largest: int | None = None,
) -> int:
    """`value` as an int if it is an integer within the limits."""
    inside = is_whole(value) and value >= smallest
    if not inside or (largest is not None and value > largest):
        least = f" of at least {smallest}"
        if largest is not None:
            least = f" from {smallest} to {largest}"
        raise ValueError(
            describe(
                caller,
                f"`{name}` must be an integer{least}.",
                "Pass a Python int.",
                **{name: repr(value)},
            )
        )
    return int(value)
