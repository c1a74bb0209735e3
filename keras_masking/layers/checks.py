"""Checks of layer arguments, with their error messages."""

from typing import Any

import keras
import numpy as np

from keras_masking._arguments import check_integer as check_integer
from keras_masking._arguments import is_whole
from keras_masking._backends import is_dense
from keras_masking.errors import describe
from keras_masking.ops.dtypes import NUMBERS
from keras_masking.ops.dtypes import dtype_name


def check_inputs(caller: str, inputs: Any) -> None:
    """Rejects ragged and sparse tensors, and anything but numbers."""
    if isinstance(inputs, (list, tuple)):  # faster than Keras' `tree`
        for x in inputs:
            check_inputs(caller, x)
        return
    alone = hasattr(inputs, "dtype")  # faster than Keras' `tree`, again
    for x in [inputs] if alone else keras.tree.flatten(inputs):
        if not is_dense(x):
            raise ValueError(
                describe(
                    caller,
                    "`inputs` must be a dense tensor.",
                    "Pad it to equal lengths and mark its real steps with a "
                    "mask.",
                    inputs=type(x).__name__,
                )
            )
        if hasattr(x, "dtype") and not dtype_name(x).startswith(NUMBERS):
            raise ValueError(
                describe(
                    caller,
                    "`inputs` must be real numbers.",
                    "Turn strings into ids first, for example with "
                    "`keras.layers.StringLookup`.",
                    dtype=dtype_name(x),
                )
            )


def check_number(
    caller: str, name: str, value: Any, finite: bool = False
) -> float:
    """`value` as a float if it is a number, finite if required."""
    kinds = (int, float, np.number, np.ndarray)
    number = isinstance(value, kinds) and np.ndim(value) == 0
    if not number or (finite and not np.isfinite(value)):
        raise ValueError(
            describe(
                caller,
                f"`{name}` must be a {'finite ' if finite else ''}number.",
                "Pass a Python float, for example 0.0.",
                **{name: repr(value)},
            )
        )
    return float(value)


def check_boolean(caller: str, name: str, value: Any) -> bool:
    """`value` as a bool if it is a Python or NumPy boolean, 0 or 1.

    0 and 1 are unambiguous here, and a saved config may contain them.
    """
    if isinstance(value, np.bool_):
        value = bool(value)
    if not isinstance(value, bool) and not (
        is_whole(value) and value in (0, 1)
    ):
        raise ValueError(
            describe(
                caller,
                f"`{name}` must be True or False.",
                "If you meant another argument, pass it by name.",
                **{name: repr(value)},
            )
        )
    return bool(value)


def check_data_format(caller: str, data_format: str | None) -> str:
    """Rejects the axis order in which a mask has no meaning."""
    if data_format is None:  # ignore Keras' configuration, which is for images
        data_format = "channels_last"
    if data_format != "channels_last":
        raise ValueError(
            describe(
                caller,
                "axes must be (batch, steps, features).",
                "Pass data_format='channels_last', and reorder the axes with "
                "`keras.layers.Permute((2, 1))` if needed.",
                data_format=repr(data_format),
            )
        )
    return data_format
