"""Facts repeated in several files of the project agree."""

import re
import tomllib
from pathlib import Path

import pytest

import keras_masking

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOX = (ROOT / "tox.ini").read_text()
PINS = dict(
    line.split("==")
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if "==" in line
)
VERSIONS = (ROOT / "docs" / "versions.md").read_text()
PYTHONS = [
    name.rsplit(" ", 1)[1]
    for name in PROJECT["classifiers"]
    if name.startswith("Programming Language :: Python :: 3.")
]


def workflow(name: str) -> str:
    return (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()


def row(name: str) -> tuple[str, str]:
    """The required and tested versions on the page of versions."""
    (cells,) = re.findall(
        rf"^\| {name} \| (.*) \| (.*) \|$", VERSIONS, flags=re.M
    )
    return cells


def test_the_versions_of_python() -> None:
    assert PYTHONS[0] == PROJECT["requires-python"].removeprefix(">=")
    tested, *prepared = PYTHONS
    assert row("Python") == (
        f"{tested} or later",
        f"{tested}; the workflow is set up for {' and '.join(prepared)} too",
    )
    quoted = ", ".join(f'"{version}"' for version in PYTHONS)
    assert f"python: [{quoted}]" in workflow("tests")


def test_the_versions_of_the_rest() -> None:
    extras = PROJECT["optional-dependencies"]
    required = [*PROJECT["dependencies"]]
    for name in ("tensorflow", "tensorflow-cpu", "torch", "jax"):
        required += extras[name]
    least = dict(re.findall(r"([\w-]+)>=([\d.]+)", "\n".join(required)))
    assert least["tensorflow"] == least["tensorflow-cpu"]
    for name, package in (
        ("TensorFlow", "tensorflow-cpu"),
        ("PyTorch", "torch"),
        ("JAX", "jax"),
        ("NumPy", "numpy"),
    ):
        assert row(name) == (f"{least[package]} or later", PINS[package])
    keras = re.findall(r"^    (!?\w+): keras==([\d.]+)$", TOX, flags=re.M)
    newest, oldest = (dict(keras)[env] for env in ("!min", "min"))
    assert {version for _, version in keras} == {newest, oldest}
    (nightly,) = re.findall(r"EXPECTED_KERAS = ([\d.]+)\ncommands_pre", TOX)
    assert row("Keras") == (
        f"{least['keras']} or later",
        f"{newest} on the three backends, {oldest} on PyTorch, the nightly "
        f"{nightly} on PyTorch",
    )


def test_the_workflow_runs_what_tox_has() -> None:
    text = workflow("tests")
    (listed,) = re.findall(r"env: \[(.*)\]", text)
    envs = {*listed.split(", "), *re.findall(r"{ env: ([\w-]+),", text)}
    default = set(re.search(r"env_list = (.*)", TOX)[1].split(", "))
    assert default < envs
    assert envs - default == {
        "docs",
        "browser",
        "export",
        "scoreboard",
        *("nightly", "nightly-torch"),
    }


def test_pre_commit_has_the_versions_of_the_tests() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    pinned = re.findall(r"([\w-]+)==([\d.]+)", text)
    assert {"ruff", "mypy"} < {name for name, _ in pinned}
    for name, version in pinned:
        assert PINS[name] == version, name


def test_the_citation() -> None:
    text = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {keras_masking.__version__}\n" in text
    assert f"\nlicense: {PROJECT['license']}\n" in text
