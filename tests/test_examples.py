"""The examples run, and end with what they promise."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_japanese_vowels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = load("japanese_vowels")
    results = example.run()
    plain, ours = results["plain Keras"], results["keras_masking"]
    assert ours["accuracy"] >= 0.95
    assert max(ours["drift"].values()) < 1e-5
    assert max(plain["drift"].values()) > 0.1
    # Not by odd values alone: zeros in the padding are enough to be seen.
    assert plain["drift"]["1 more appended"] > 0.01
    example.show(results, example.Console())
    table = capsys.readouterr().out
    assert f"{ours['accuracy']:.3f}" in table
    assert "padding holds NaN" in table
    example.plot(results, str(tmp_path / "drift.png"))
    assert (tmp_path / "drift.png").read_bytes()[:4] == b"\x89PNG"


def test_guide(capsys: pytest.CaptureFixture[str]) -> None:
    guide: Any = load("guide")
    guide.main()
    assert "more padding" in capsys.readouterr().out
