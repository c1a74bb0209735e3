"""A program of `jax.export`, serialized in a `.jax` file: from JAX."""

from pathlib import Path

from keras_masking.exporting import jax_access
from keras_masking.exporting.source import Run
from keras_masking.exporting.source import Source


def write(source: Source, path: Path) -> None:
    """Writes the model."""
    jax_access.save(jax_access.to_program(source), path)


def open_file(path: Path, source: Source) -> Run:
    """Loads the program; it takes its inputs in their order."""
    return jax_access.load(path)
