"""The pytest plugin: a line at the end, two options, no Keras."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import keras
import pytest

from keras_masking.contract import all_checks

pytestmark = [pytest.mark.kit, pytest.mark.once]

BACKEND = keras.backend.backend()

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


def test_reports_what_ran_and_writes_it(tmp_path: Path) -> None:
    out = pytest_in(tmp_path, TEST, "--mask-report", "masks.json")
    assert "mask contract" in out
    assert "2 targets: " in out
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
    assert "1 targets: 1 pass, 1 xfail" in out


def test_junit(tmp_path: Path) -> None:
    """A case per layer and check, with what a reader of CI has to know."""
    pytest_in(tmp_path, EXPECTED, "--junitxml", "junit.xml")
    tree = ElementTree.parse(tmp_path / "junit.xml")
    cases = {case.attrib["name"]: case for case in tree.iter("testcase")}
    name = f"test_masks[GlobalMaxPooling1D-{{}}-{BACKEND}]"
    assert set(cases) == {
        name.format(check.id)
        for check in all_checks().values()
        if check.level != "information"
    }
    assert not list(cases[name.format("runs-with-mask")])
    (failure,) = cases[name.format("empty-row")]
    assert failure.tag == "failure"
    assert "FAIL empty-row  GlobalMaxPooling1D  (required)" in failure.text
    for part in ("1 rule   A row", "2 seen   value [0] is", "3 where  row 0",
                 "4 likely ", "5 repro  import numpy as np"):  # fmt: skip
        assert re.search(rf"^E +{re.escape(part)}", failure.text, re.MULTILINE)
    assert "parametrize.py" not in failure.text
    skips = {}
    for check in ("pad-value", "nan-padding", "role-consistent"):
        (skipped,) = cases[name.format(check)]
        assert skipped.tag == "skipped"
        skips[check] = (skipped.attrib["type"], skipped.attrib["message"])
    assert skips == {
        "pad-value": ("pytest.xfail", "Keras takes the maximum over padding"),
        "nan-padding": ("pytest.skip", "blocked: pad-value did not pass"),
        "role-consistent": ("pytest.skip", "n/a: no role is declared"),
    }


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
