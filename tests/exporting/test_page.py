"""The examples of `docs/export.md`, in the runtimes that they are about."""

import importlib
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking.exporting import export
from keras_masking.exporting import formats
from tests.exporting.models import MODELS
from tests.helpers import BACKEND
from tests.helpers import to_numpy

pytestmark = [
    pytest.mark.runtimes,
    # OpenVINO starts a process of its own.
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),
]
PAGE = Path(__file__).parents[2] / "docs" / "export.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.M | re.S)


def block_with(words: str) -> str:
    (found,) = [block for block in BLOCKS if words in block]
    return found


def mean_with_mask() -> keras.Model:
    x = keras.Input((None, 4), name="x")
    mask = keras.Input((None,), dtype="bool", name="mask")
    y = keras.layers.GlobalAveragePooling1D()(x, mask=mask)
    return keras.Model([x, mask], keras.layers.Dense(3)(y))


@pytest.mark.parametrize(
    ("words", "name", "make", "inputs"),
    [
        ("import onnxruntime", "model.onnx", MODELS["m1"], ["ids"]),
        ("import openvino", "model.xml", MODELS["m2l"], ["x", "lengths"]),
        ("import Interpreter", "model.tflite", mean_with_mask, ["x", "mask"]),
    ],
)
def test_an_example(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    name: str,
    make: Any,
    inputs: list[str],
) -> None:
    if formats.SUFFIXES[Path(name).suffix] not in formats.available(BACKEND):
        pytest.skip(f"{BACKEND} has no such format")
    monkeypatch.chdir(tmp_path)
    model = make()
    export(model, name)
    space: dict[str, Any] = {}
    exec(block_with("def padded") + block_with(words), space)
    given = [space[key] for key in inputs]
    wanted = to_numpy(model(given if len(given) > 1 else given[0]))
    np.testing.assert_allclose(space["answers"], wanted, rtol=1e-5, atol=1e-6)


def test_the_page_names_every_format_and_ending() -> None:
    page = PAGE.read_text()
    for found in formats.FORMATS.values():
        assert f"`{found.name}`" in page
        assert not found.suffix or f"`{found.suffix}`" in page
        for *_, extra in found.needs.values():
            assert f"[{extra}]" in page or not extra


def test_the_example_of_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(PAGE.parents[1] / "examples")
    found = importlib.import_module("export_onnx").main(tmp_path)
    assert len(found) == 3
    for answer in found.values():
        assert np.shape(answer) == (4, 1)
        np.testing.assert_allclose(answer, found["by Keras"], atol=1e-6)
    assert np.ptp(found["by Keras"]) > 1e-4  # the sentences differ
