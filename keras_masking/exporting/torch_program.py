"""A program of `torch.export`, a `.pt2` file: from PyTorch."""

from pathlib import Path

from keras_masking.exporting import torch_access
from keras_masking.exporting.source import Run
from keras_masking.exporting.source import Source


def write(source: Source, path: Path) -> None:
    """Writes the model."""
    torch_access.save(torch_access.to_program(source), path)


def open_file(path: Path, source: Source) -> Run:
    """Loads the program."""
    return torch_access.load(path, source.names)
