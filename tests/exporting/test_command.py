"""`keras-masking export` on the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking.exporting import ExportError
from keras_masking.exporting import ExportMismatchError
from keras_masking.exporting import exporter
from tests.exporting.models import MODELS
from tests.exporting.test_export import LACKING
from tests.exporting.test_export import NAME
from tests.helpers import BACKEND
from tests.helpers import refused as refusing
from tests.helpers import typed as typing


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    MODELS["m1"]().save("in.keras")
    return tmp_path


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Any:
    return typing(monkeypatch, capfd, "export")


@pytest.fixture
def refused(typed: Any) -> Callable[..., str]:
    return refusing(typed)


def test_export(typed: Any, folder: Path) -> None:
    np.save("rows.npy", np.array([[3, 1, 4], [2, 0, 0]]))
    code, out, _ = typed("in.keras", NAME, "--inputs", "rows.npy")
    assert code == 0
    assert f"from Keras on {BACKEND}" in out and "an empty row" in out
    assert (folder / NAME).exists()


def test_without_comparing_and_with_other_names(
    typed: Any, refused: Any
) -> None:
    options = "--no-verify", "--name", "tokens"
    code, out, _ = typed("in.keras", NAME, *options)
    assert code == 0
    assert "tokens: int32" in out and "not compared with the model" in out
    assert "exists. Name another path" in refused("in.keras", NAME)
    assert typed("in.keras", NAME, "--force", *options)[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["in.keras", "out.h5"], "must end in .onnx"),
        (["in.keras", "out.onnx", "--format", "onx"], "mean 'onnx'"),
        (["in.keras", f"no/{NAME}"], "there is no folder no."),
        (["gone.keras", NAME], "there is no file gone.keras."),
        (["in.keras", "out", "--format", LACKING], "has no format|must end in"),
    ],
)
def test_wrong_use(
    refused: Any, folder: Path, words: list[str], message: str
) -> None:
    line = refused(*words)
    assert any(part in line for part in message.split("|"))
    assert [p.name for p in folder.iterdir()] == ["in.keras"]


@pytest.mark.parametrize(
    ("error", "code"), [(ExportMismatchError, 1), (ExportError, 3)]
)
def test_exit_codes(
    typed: Any, monkeypatch: pytest.MonkeyPatch, error: Any, code: int
) -> None:
    def fail(*_: Any, **how: Any) -> None:
        raise error("In `export`: the onnx file differs.")

    monkeypatch.setattr(exporter, "write_and_compare", fail)
    left, _, err = typed("in.keras", NAME)
    assert left == code
    assert "the onnx file differs." in err


def test_code_in_a_file_is_not_run(refused: Any) -> None:
    code = keras.layers.Lambda(lambda x: x)
    keras.Sequential([keras.Input((3,)), code]).save("code.keras")
    line = refused("code.keras", NAME)
    assert "holds a Python lambda" in line
    assert "`keras_masking.export(model, path)`" in line
