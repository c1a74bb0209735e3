"""How a class becomes public."""

from typing import TypeVar

import keras

T = TypeVar("T", bound=type)


def export(cls: T) -> T:
    """Registers `cls` with Keras, under the path that users import.

    A saved file records the module and the package of a class: both stay
    valid when the class moves to another file.
    """
    cls.__module__ = ".".join(cls.__module__.split(".")[:2])
    keras.saving.register_keras_serializable(package="keras_masking")(cls)
    return cls
