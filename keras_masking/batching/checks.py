"""Checks of the arguments of batches, with their error messages."""

from typing import Any

import numpy as np

from keras_masking.errors import describe


def check_choice(
    caller: str, name: str, value: Any, choices: tuple[str, ...]
) -> str:
    """`value` if it is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            describe(
                caller,
                f"`{name}` must be one of {', '.join(map(repr, choices))}.",
                f"Pass, for example, {name}={choices[0]!r}.",
                **{name: repr(value)},
            )
        )
    return value


def check_lengths(
    caller: str,
    lengths: Any,
    shortest: int = 0,
    name: str = "lengths",
    fix: str = "Leave out what is shorter, together with its targets.",
) -> np.ndarray:
    """The lengths as int64 `(sequences,)`: small integers would overflow.

    Raises an error if there are none, or one is not a whole number of at least
    `shortest`.
    """
    found = np.asarray(lengths)
    # Of floats too: that is what a division or a table gives.
    numbers = found.ndim == 1 and found.dtype.kind in "iuf" and found.size
    if not numbers or not np.array_equal(found, np.floor(found)):
        raise ValueError(
            describe(
                caller,
                f"`{name}` must be whole numbers, one for each sequence.",
                "Pass `[len(sequence) for sequence in x]`.",
                shape=found.shape,
                dtype=found.dtype,
            )
        )
    found = found.astype("int64")
    short = np.flatnonzero(found < shortest)
    if short.size:
        raise ValueError(
            describe(
                caller,
                f"`{name}` must be of at least {shortest} steps.",
                fix,
                steps=found[short[0]],
                sequence=short[0],
                sequences=f"{short.size} of {found.size}",
            )
        )
    return found
