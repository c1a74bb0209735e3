"""What a layer has learned, carried over to another."""

import tempfile
from typing import Any

import keras

from keras_masking.conversion.calls import is_model
from keras_masking.counterparts import name_in_keras


def carry(old: Any, new: Any) -> None:
    """Weights, and what a layer has learned besides."""
    if is_model(old):
        return  # its layers are carried one by one
    new.set_weights(old.get_weights())
    if type(new) is type(old) and name_in_keras(old):
        own = "load_own_variables" in vars(type(old))
        if own and hasattr(old, "adapt"):  # it computes more of its weights
            store: dict[str, Any] = {}
            old.save_own_variables(store)
            # As arrays: JAX would give both models one buffer, and free it.
            new.load_own_variables(
                {k: keras.ops.convert_to_numpy(v) for k, v in store.items()}
            )
        if hasattr(old, "save_assets"):  # a vocabulary
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)
