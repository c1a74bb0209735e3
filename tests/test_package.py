"""The contents of the wheel and the sdist."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

import keras_masking

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_wheel(built: Path) -> None:
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        (metadata,) = [n for n in names if n.endswith("METADATA")]
        fields = message_from_string(wheel.read(metadata).decode())
    sources = {
        str(p.relative_to(ROOT))
        for kind in ("*.py", "templates/*")
        for p in ROOT.glob(f"keras_masking/**/{kind}")
    }
    assert "keras_masking/contract/reports/templates/page.html" in sources
    packaged = {n for n in names if n.startswith("keras_masking/")}
    assert packaged == {*sources, "keras_masking/py.typed"}
    assert {n.split("/")[0] for n in names - packaged} == {
        f"keras_masking-{keras_masking.__version__}.dist-info"
    }
    assert any(n.endswith("licenses/LICENSE") for n in names)
    assert fields["Name"] == "keras-masking"
    assert fields["Version"] == keras_masking.__version__
    assert fields["License-Expression"] == "Apache-2.0"
    assert fields["Requires-Python"] == ">=3.11"
    requires = fields.get_all("Requires-Dist")
    required = {re.split(r"[^\w-]", r)[0] for r in requires if "extra" not in r}
    assert required == {"click", "jinja2", "keras", "numpy", "rich"}
    assert set(fields.get_all("Provides-Extra")) == {
        "tensorflow",
        "tensorflow-cpu",
        "torch",
        "jax",
        "bench",
        "examples",
        "export-jax",
        "export-litert",
        "export-onnx-jax",
        "export-onnx-tensorflow",
        "export-onnx-torch",
        "export-openvino",
        "plot",
        "test",
        "browser",
        "dev",
        "docs",
    }
    assert "padding" in fields.get_payload()


def test_sdist(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as sdist:
        names = {"/".join(n.split("/")[1:]) for n in sdist.getnames()}
    for name in (
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "pyproject.toml",
        "tox.ini",
        "constraints.txt",
        "conftest.py",
        "keras_masking/py.typed",
        "tests/oracle.py",
        "examples/japanese_vowels.py",
        "examples/data/japanese_vowels.npz",
        "examples/data/LICENSE.md",
    ):
        assert name in names, name
    # The builder adds .gitignore by itself.
    hidden = {n for n in names if n.startswith(".") or "__pycache__" in n}
    assert hidden <= {".gitignore"}
