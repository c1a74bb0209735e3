"""The pytest plugin: a line at the end, two options, no Keras."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.kit

TEST = """
import keras
from keras_masking.contract import Case, parametrize_with_checks
from keras_masking.layers import FirstStep

@parametrize_with_checks([FirstStep, keras.layers.MaxPooling1D])
def test_masks(check):
    check()
"""
EXPECTED = """
import keras
from keras_masking.contract import Case, parametrize_with_checks

case = Case(
    keras.layers.GlobalMaxPooling1D,
    expected_failures={"pad-value": "Keras takes the maximum over padding"},
)

@parametrize_with_checks([case])
def test_masks(check):
    check()
"""


def pytest_in(folder: Path, text: str, *options: str) -> str:
    (folder / "test_it.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "--strict-markers"]
    plugin = ["-p", "keras_masking.pytest_plugin", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, *plugin, "test_it.py", *options],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    return run.stdout + run.stderr


def test_tells_what_ran_and_writes_it(tmp_path: Path) -> None:
    out = pytest_in(tmp_path, TEST, "--mask-report", "masks.json")
    assert "mask contract" in out
    assert "2 layers: " in out
    assert "MaxPooling1D-mask-kept-" in out
    results = json.loads((tmp_path / "masks.json").read_text())
    failed = {r["check"] for r in results if r["status"] == "fail"}
    assert "mask-kept" in failed
    assert {r["layer"] for r in results} == {"FirstStep", "MaxPooling1D"}


def test_level(tmp_path: Path) -> None:
    out = pytest_in(tmp_path, TEST, "--mask-level", "required", "--co")
    assert "FirstStep-pad-value" in out
    assert "no-destroy-warning" not in out


def test_an_expected_failure_is_an_xfail(tmp_path: Path) -> None:
    out = pytest_in(tmp_path, EXPECTED, "-k", "runs-with-mask or pad-value-jax"
                    " or pad-value-torch or pad-value-tensorflow")  # fmt: skip
    assert "1 xfailed" in out
    assert "1 layers: 1 pass, 1 xfail" in out


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    out = pytest_in(tmp_path, TEST, "--mask-report", "no/where.json")
    assert "there is no folder" in out


def test_never_imports_keras() -> None:
    code = (
        "import sys, keras_masking.pytest_plugin; print('keras' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"
