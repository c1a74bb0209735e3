"""`keras-masking convert` on the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import cli_model
from keras_masking import conversion
from tests.helpers import BACKEND
from tests.helpers import refused as refusing
from tests.helpers import typed as typing

SHORT, LONG = np.array([[3, 1, 4]]), np.array([[3, 1, 4, 0, 0, 0]])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    return tmp_path


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Any:
    return typing(monkeypatch, capfd, "convert")


@pytest.fixture
def refused(typed: Any) -> Callable[..., str]:
    return refusing(typed)


def save(*layers: Any, name: str = "in.keras") -> keras.Model:
    start = keras.Input((None,), dtype="int32")
    table = keras.layers.Embedding(9, 4, mask_zero=True)
    model = keras.Sequential([start, table, *layers])
    model.compile("sgd", "mse")
    model.save(name)
    return model


def answers(model: keras.Model) -> list[Any]:
    return [keras.ops.convert_to_numpy(model(x)) for x in (SHORT, LONG)]


def test_convert(typed: Any) -> None:
    pool = keras.layers.GlobalAveragePooling1D(name="pool")
    norm = keras.layers.GroupNormalization(2, name="norm")
    model = save(norm, pool)
    code, out, _ = typed("in.keras", "out.keras")
    assert code == 0
    assert "norm: GroupNormalization -> MaskedGroupNormalization\n" in out
    assert "2 replaced, 0 left\n" in out
    assert out.splitlines()[-1] == "Wrote out.keras."
    short, long = answers(model)
    assert abs(short - long).max() > 0.01
    made = keras.saving.load_model("out.keras")
    assert made.compiled
    for answer in answers(made):
        np.testing.assert_allclose(answer, short, rtol=1e-5, atol=1e-6)


def test_it_overwrites_only_when_forced(refused: Any, typed: Any) -> None:
    save()
    before = Path("in.keras").read_bytes()
    line = refused("in.keras", "in.keras")
    assert line == (
        "Error: in.keras exists. Name another file, or overwrite it with "
        "--force."
    )
    assert Path("in.keras").read_bytes() == before
    assert typed("in.keras", "in.keras", "--force")[0] == 0
    assert keras.saving.load_model("in.keras")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["in.keras", "out.h5"], "must end in .keras. Received: out.h5"),
        (["in.keras", "no/out.keras"], "OUTPUT: there is no folder no."),
        (["gone.keras", "out.keras"], "there is no file gone.keras."),
        (["bad.keras", "out.keras"], "bad.keras is damaged"),
        (["in.keras", "out.keras", "--backend", "pytorch"], "mean 'torch'?"),
        (["in.keras", "out.keras", "--import", "gone"], "cannot be imported"),
    ],
)
def test_wrong_use(refused: Any, words: list[str], message: str) -> None:
    save()
    Path("bad.keras").write_text("")
    assert message in refused(*words)
    assert not Path("out.keras").exists()


def test_code_in_a_file_is_not_run(refused: Any) -> None:
    code = keras.layers.Lambda(lambda x: x)
    keras.Sequential([keras.Input((3,)), code]).save("in.keras")
    line = refused("in.keras", "out.keras")
    assert "holds a Python lambda" in line
    assert "`keras_masking.convert(model)`" in line
    assert not Path("out.keras").exists()


def test_a_model_that_cannot_be_converted(
    refused: Any, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_model, "read_model", lambda *_, **how: Subclass())
    save()
    assert "subclassed" in refused("in.keras", "out.keras")

    def fail(model: Any, inputs: Any) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(conversion, "convert", fail)
    code, _, err = typed("in.keras", "out.keras")
    assert code == 3
    assert "the conversion failed: KeyError" in err
    assert not Path("out.keras").exists()


class Subclass(keras.Model):
    pass
