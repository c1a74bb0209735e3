"""The versions that a report lists."""

from importlib.metadata import version

import keras

from keras_masking import __version__


def versions() -> dict[str, str]:
    """The versions of this package, of Keras, and of its backend."""
    backend = keras.backend.backend()
    return {
        "keras_masking": __version__,
        "keras": keras.__version__,
        backend: _version(backend),
    }


def _version(backend: str) -> str:
    for name in (backend, f"{backend}-cpu"):
        try:
            return version(name)
        except Exception:
            continue
    return "unknown"
