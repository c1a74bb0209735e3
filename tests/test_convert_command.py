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


def test_packed(typed: Any, refused: Any) -> None:
    save(keras.layers.GlobalAveragePooling1D(name="pool"))
    options = "--packed", "--max-segments", "3"
    code, out, _ = typed("in.keras", "out.keras", *options)
    assert code == 0
    assert "packed    pool: MaskedGlobalAveragePooling1D: max_segm" in out
    assert "packing   gap=1, align=1, shortest=1" in out
    made = keras.saving.load_model("out.keras")
    two = keras.ops.convert_to_numpy(made(np.array([[3, 1, 0, 4, 5, 6, 0]])))
    for slot, ids in enumerate(([3, 1], [4, 5, 6])):
        alone = keras.ops.convert_to_numpy(made(np.array([ids])))[0, 0]
        np.testing.assert_allclose(two[0, slot], alone, rtol=1e-5, atol=1e-6)
    said = refused("in.keras", "other.keras", "--max-segments", "3")
    assert "Pass packed=True too" in said


def save_with_mask() -> None:
    """A model whose convolution does not see its mask, which is an input."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    mask = keras.Input((None,), dtype="bool", name="real")
    x = keras.layers.Embedding(9, 4, name="tokens")(ids)
    x = keras.layers.Conv1D(4, 3, padding="same", name="conv")(x)
    x = keras.layers.GlobalAveragePooling1D(name="pool")(x, mask=mask)
    keras.Model([ids, mask], x).save("in.keras")


def test_a_mask_among_the_inputs_and_the_drift(typed: Any) -> None:
    save_with_mask()
    np.savez("rows.npz", ids=LONG, real=LONG != 0)
    options = "--mask-input", "real=tokens", "--inputs", "rows.npz"
    code, out, _ = typed("in.keras", "out.keras", *options)
    assert code == 0
    assert "attached  real: masks tokens\n" in out
    assert "conv: Conv1D -> MaskedConv1D\n" in out
    (line,) = [s for s in out.splitlines() if s.startswith("drift ")]
    _, before, _, after, *_ = line.split()
    assert float(before) > 1e-3 and float(after) < 1e-6
    made = keras.saving.load_model("out.keras")
    short, long = (made([x, x != 0]) for x in (SHORT, LONG))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(short),
        keras.ops.convert_to_numpy(long),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mask-input", "real"], "--mask-input must be NAME=LAYER"),
        (["--mask-input", "real=token"], "Did you mean 'tokens'?"),
        (["--inputs", "gone.npz"], "gone.npz"),
        (["--padding", "ids=zero"], "must be NAME=VALUE"),
        (["--padding", "ids=0"], "Pass a batch of rows with padding"),
    ],
)
def test_wrong_masks_and_inputs(
    refused: Any, words: list[str], message: str
) -> None:
    save_with_mask()
    assert message in refused("in.keras", "out.keras", *words)
    assert not Path("out.keras").exists()


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
    typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_model, "read_model", lambda *_, **how: Subclass())
    save()
    code, _, err = typed("in.keras", "out.keras")
    assert code == 2
    assert "self.pool = layers.MaskedGlobalAveragePooling1D(...)" in err

    def fail(*_: Any, **how: Any) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(conversion, "convert", fail)
    code, _, err = typed("in.keras", "out.keras")
    assert code == 3
    assert "the conversion failed: KeyError" in err
    assert not Path("out.keras").exists()


class Subclass(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.pool = keras.layers.GlobalAveragePooling1D()
