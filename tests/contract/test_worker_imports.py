"""What a worker imports, and in which order."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import pytest

from keras_masking.contract.backends import supervisor
from keras_masking.contract.backends.processes import missing

BACKEND = keras.backend.backend()
ROOT = Path(__file__).parents[2]
SPARED = """
import sys
import keras

HEAVY = {"matplotlib", "tensorflow", "torch", "jax"} - {keras.backend.backend()}
FOUND = HEAVY & set(sys.modules)

class Passes(keras.layers.ReLU):
    def call(self, x):
        assert not FOUND, FOUND
        return super().call(x)
"""
# A module of this name is enough to see when it is imported.
TORCH = "import sys; FIRST = 'tensorflow' not in sys.modules"
AFTER_TORCH = """
import torch
import keras

class Passes(keras.layers.ReLU):
    def call(self, x):
        assert torch.FIRST
        return super().call(x)
"""


def check(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The reports of a worker on the layer that a file defines."""
    (folder / "passes.py").write_text(source)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{ROOT}")
    options = {"skip": None, "level": "advised", "role": None, "seed": 0}
    job = {
        "work": "check",
        "targets": ["passes.py:Passes"] * 2,
        "ids": None,
        "options": {**options, "only": ["pad-value"], "torch_compile": False},
    }
    return supervisor.run(job, [BACKEND])[BACKEND]


def test_a_missing_module_is_there_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "seldom.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with missing(["seldom", "sys"]):
        with pytest.raises(ImportError):
            import_module("seldom")
        assert import_module("sys") is sys
    assert import_module("seldom")


@pytest.mark.kit
def test_a_worker_imports_its_backend_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = check(SPARED, tmp_path, monkeypatch)
    assert [report.layer for report in reports] == ["Passes", "Passes #2"]
    for report in reports:
        assert report.ok, str(report)


@pytest.mark.kit
@pytest.mark.skipif(BACKEND != "tensorflow", reason="torch before TensorFlow")
def test_a_layer_that_needs_torch_gets_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text(TORCH)
    reports = check(AFTER_TORCH, tmp_path, monkeypatch)
    assert [report.layer for report in reports] == ["Passes", "Passes #2"]
    for report in reports:
        assert report.ok, str(report)
