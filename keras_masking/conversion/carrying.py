"""Copies what one layer has learned to another."""

import tempfile
from collections.abc import Iterable
from typing import Any

import keras

from keras_masking.conversion.calls import is_model
from keras_masking.counterparts import name_in_keras


def carry_all(made: Iterable[tuple[Any, Any]]) -> None:
    """Copies what each old layer has learned to its new one."""
    for old, new in made:
        if isinstance(old, keras.layers.Layer) and new is not old:
            carry(old, new)


def carry(old: Any, new: Any) -> None:
    """Copies weights and any other learned state."""
    if is_model(old):
        return  # its layers are copied one by one
    new.set_weights(old.get_weights())
    if type(new) is type(old) and name_in_keras(old):
        own = "load_own_variables" in vars(type(old))
        if own and hasattr(old, "adapt"):  # computes more of its weights
            store: dict[str, Any] = {}
            old.save_own_variables(store)
            # As arrays: on JAX both models would share a buffer, which may be
            # freed.
            new.load_own_variables(
                {k: keras.ops.convert_to_numpy(v) for k, v in store.items()}
            )
        if hasattr(old, "save_assets"):  # a vocabulary
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)
