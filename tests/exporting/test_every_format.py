"""Every model in every format of the backend: right, or refused in words."""

from pathlib import Path

import keras
import pytest

import keras_masking
from keras_masking import layers
from keras_masking.exporting import ExportError
from keras_masking.exporting import check_export
from keras_masking.exporting import formats
from keras_masking.exporting.exporter import export
from tests.exporting.models import MODELS
from tests.exporting.refused import REFUSED
from tests.helpers import BACKEND

pytestmark = [
    pytest.mark.runtimes,
    # OpenVINO starts a process of its own.
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),
]
CELLS = [
    (model, name) for model in MODELS for name in formats.available(BACKEND)
]


@pytest.mark.parametrize(("key", "format"), CELLS)
def test_a_file_is_right_or_refused(
    tmp_path: Path, key: str, format: str
) -> None:
    path = tmp_path / f"model{formats.FORMATS[format].suffix}"
    reason = REFUSED.get((BACKEND, format, key))
    if reason is None:
        report = export(MODELS[key](), path, format)
        assert report.ok and path.exists()
        sizes = {(one.rows, *one.steps) for one in report.compared}
        assert sizes == {(2, 5), (1, 1), (3, 8), (4, 21)}
        assert report.largest is not None and report.largest < 2e-5
        return
    with pytest.raises(ExportError) as caught:
        export(MODELS[key](), path, format)
    assert reason in str(caught.value)
    assert "It starts at 'keep_mask" in str(caught.value)
    assert "a KeepMask of keras-masking around a " in str(caught.value)
    assert " of Keras: a model that ends before it is" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_without_steps(tmp_path: Path) -> None:
    """OpenVINO raises for one that is empty, as of a window in one step."""
    x, mask = (
        keras.Input((None, 4), name="x"),
        keras.Input((None,), name="mask"),
    )
    y = layers.AttachMask()(x, mask=mask)
    model = keras.Model([x, mask], layers.MaskedAveragePooling1D(2)(y))
    report = export(model, tmp_path / "model.xml")
    assert report.ok
    assert {(one.rows, *one.steps) for one in report.compared} >= {(2, 5)}
    empty = [note for note in report.notes if "the answer is empty" in note]
    assert len(empty) in (0, 2)


def test_every_refusal_is_of_a_cell() -> None:
    own = {cell[1:] for cell in REFUSED if cell[0] == BACKEND}
    assert own <= {(format, model) for model, format in CELLS}
    assert keras.backend.backend() == BACKEND
    assert keras_masking.export is export


def test_names_and_dicts_in_every_format() -> None:
    x = keras.Input((None, 4), name="FeaturesX")
    mask = keras.Input((None,), dtype="bool", name="Mask_1")
    y = layers.AttachMask()(x, mask=mask)
    y = layers.MaskedGlobalAveragePooling1D()(y)
    outputs = {"Zed": keras.layers.Dense(2)(y), "a": keras.layers.Dense(1)(y)}
    model = keras.Model({"FeaturesX": x, "Mask_1": mask}, outputs)
    report = check_export(model)
    assert list(report.reports) == formats.available(BACKEND)
    for one in report.reports.values():
        assert sorted(one.outputs) == ["Zed", "a"]
        assert [name for name, *_ in one.inputs] == ["FeaturesX", "Mask_1"]
