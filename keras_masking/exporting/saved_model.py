"""TensorFlow's SavedModel, a folder: from TensorFlow and from JAX."""

from pathlib import Path

from keras_masking.exporting import tensorflow_access
from keras_masking.exporting.source import Run
from keras_masking.exporting.source import Source


def write(source: Source, path: Path) -> None:
    """Writes the model."""
    tensorflow_access.save(source, path)


def open_file(path: Path, source: Source) -> Run:
    """Loads the folder in TensorFlow."""
    return tensorflow_access.load(path, source)
