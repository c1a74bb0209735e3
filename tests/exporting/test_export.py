"""`export` with what each backend brings: what it keeps, refuses and says."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_masking
from keras_masking import layers
from keras_masking.exporting import ExportError
from keras_masking.exporting import ExportMismatchError
from keras_masking.exporting import formats
from tests.exporting.models import MODELS
from tests.helpers import BACKEND

# What a backend writes and runs without another package, and a format that it
# lacks.
NATIVE = {
    "tensorflow": ("tf_saved_model", "model", "torch"),
    "torch": ("torch", "model.pt2", "tf_saved_model"),
    "jax": ("jax", "model.jax", "litert"),
}
FORMAT, NAME, LACKING = NATIVE[BACKEND]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / NAME


def everything_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


@keras.saving.register_keras_serializable(package="tests")
class Drawing(keras.layers.Layer):
    """Adds a number drawn in Python, which a trace keeps for ever."""

    def call(self, inputs: Any) -> Any:
        return inputs + np.random.normal()

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def drawing() -> keras.Model:
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = layers.CustomEmbedding(9, 4, mask_zero=True)(ids)
    x = layers.MaskedGlobalAveragePooling1D(name="pool")(x)
    x = Drawing(name="drawing")(x)
    return keras.Model(ids, keras.layers.Dense(3)(x))


def test_it_is_written_and_compared(path: Path) -> None:
    report = keras_masking.export(MODELS["m1"](), path)
    assert report.ok and report.path == path and path.exists()
    assert report.format == FORMAT and report.backend == BACKEND
    assert report.inputs == [("ids", ("batch", "steps"), "int32")]
    kinds = {one.batch for one in report.compared}
    assert kinds == {"right padding", "left padding", "a hole", "an empty row"}
    assert {(one.rows, one.steps) for one in report.compared} == {
        (2, (5,)),
        (1, (1,)),
        (3, (8,)),
        (4, (21,)),
    }
    assert report.largest < 1e-5
    text = str(report)
    assert "same    an empty row" in text and "keras 3." in text
    assert everything_in(path.parent)[0] == NAME


def test_padding_may_be_nan_if_lengths_say_where_it_is(path: Path) -> None:
    x = keras.Input((None, 4), name="x")
    lengths = keras.Input((), dtype="int32", name="n")
    y = layers.LengthMask()([x, lengths])
    model = keras.Model({"x": x, "n": lengths}, layers.StatisticsPooling1D()(y))
    report = keras_masking.export(model, path)
    assert [name for name, *_ in report.inputs] == ["n", "x"]
    kinds = {one.batch for one in report.compared}
    assert kinds == {"right padding", "an empty row", "NaN at padding"}
    assert report.ok


def test_two_sequences_have_sizes_of_their_own(path: Path) -> None:
    query = keras.Input((None, 4), name="query")
    value = keras.Input((None, 4), name="value")
    seen = keras.Input((None,), dtype="bool", name="value_mask")
    y = layers.MaskedAttention()([query, layers.AttachMask()(value, mask=seen)])
    model = keras.Model([query, value, seen], y)
    report = keras_masking.export(model, path)
    assert [shape for _, shape, _ in report.inputs] == [
        ("batch", "steps_1", 4),
        ("batch", "steps_2", 4),
        ("batch", "steps_2"),
    ]
    assert report.ok and (2, (5, 6)) in {
        (one.rows, one.steps) for one in report.compared
    }


def test_a_file_that_answers_otherwise_is_not_kept(path: Path) -> None:
    with pytest.raises(ExportMismatchError) as caught:
        keras_masking.export(drawing(), path)
    said = str(caught.value)
    assert f"the {FORMAT} file" in said and "was not kept" in said
    assert "It starts at 'drawing', a Drawing of your own code" in said
    assert "output_0[" in said
    assert everything_in(path.parent) == []


def test_an_older_file_stays(path: Path) -> None:
    keras_masking.export(MODELS["m1"](), path)
    before = everything_in(path.parent)
    with pytest.raises(ExportMismatchError):
        keras_masking.export(drawing(), path)
    assert everything_in(path.parent) == before
    assert keras_masking.export(MODELS["m1"](), path).ok  # replaces it


def test_without_comparing(path: Path) -> None:
    report = keras_masking.export(drawing(), path, verify=False)
    assert path.exists() and report.compared == [] and not report.ok
    assert report.largest is None
    assert "not compared with the model" in str(report)


@pytest.mark.skipif(BACKEND != "torch", reason="PyTorch guesses sizes")
def test_pytorch_stays_cautious_without_comparing(path: Path) -> None:
    """A strided convolution of Keras is wrong for some sizes if it does not."""
    x = keras.Input((None, 4), name="x")
    y = keras.layers.Conv1D(3, 3, strides=2, padding="same", name="conv")(x)
    model = keras.Model(x, keras.layers.GlobalMaxPooling1D()(y))
    with pytest.raises(ExportMismatchError, match="'conv', a Conv1D of Keras"):
        keras_masking.export(model, path)
    with pytest.raises(ExportError, match="Not all values of steps"):
        keras_masking.export(model, path, verify=False)
    assert everything_in(path.parent) == []


def test_a_subclassed_model_takes_its_inputs_from_a_batch(path: Path) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.table = layers.CustomEmbedding(9, 4, mask_zero=True)
            self.pool = layers.MaskedGlobalMaxPooling1D()

        def call(self, inputs: Any) -> Any:
            return self.pool(self.table(inputs))

    model = Own()
    with pytest.raises(ValueError, match="Pass `inputs`, a batch"):
        keras_masking.export(model, path)
    batch = np.array([[3, 1, 4], [2, 0, 0]], "int32")
    report = keras_masking.export(model, path, inputs=batch)
    assert report.ok
    assert report.inputs == [("inputs", ("batch", "steps"), "int32")]


def test_a_model_built_by_a_call_has_no_signature(path: Path) -> None:
    table = layers.CustomEmbedding(9, 4, mask_zero=True)
    model = keras.Sequential([table, layers.MaskedGlobalMaxPooling1D()])
    batch = np.array([[3, 1, 4]], "int32")
    model(batch)
    with pytest.raises(ValueError, match="Begin the model with"):
        keras_masking.export(model, path)
    report = keras_masking.export(model, path, inputs=batch)
    assert report.inputs == [("inputs", ("batch", "steps"), "int32")]
    assert report.ok


@pytest.mark.parametrize(
    ("make", "how", "message"),
    [
        (lambda: keras.layers.Dense(3), {}, "must be a `keras.Model`"),
        (
            lambda: keras.Sequential([keras.layers.Dense(3)]),
            {},
            "Begin the model with `keras.Input`",
        ),
        (
            lambda: keras.Model(
                [a := keras.Input((3,)), b := keras.Input((3,))], a + b
            ),
            {},
            "each input needs a name of its own",
        ),
        (MODELS["m1"], {"names": ["a", "b"]}, "name each of the 1 inputs"),
        (MODELS["m1"], {"names": ["a b"]}, "must be a Python name"),
        (MODELS["m1"], {"names": ["class"]}, "must be a Python name"),
        (MODELS["m1"], {"inputs": np.ones((2, 3, 4))}, "must fit the inputs"),
        (MODELS["m1"], {"inputs": np.array([["a"]])}, "arrays of numbers"),
    ],
)
def test_wrong_models_and_inputs(
    path: Path, make: Any, how: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        keras_masking.export(make(), path, **how)
    assert everything_in(path.parent) == []


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("model.h5", None, "must end in .onnx, .tflite, .xml, .pt2, .jax"),
        ("model.onnx", "onx", "Did you mean 'onnx'"),
        ("model", "onnx", "must end in .onnx"),
        ("model.xml", FORMAT, "is a folder|must end in"),
        (
            f"model{formats.FORMATS[LACKING].suffix}",
            LACKING,
            f"the backend {BACKEND} has no format '{LACKING}'",
        ),
    ],
)
def test_wrong_formats(
    tmp_path: Path, name: str, format: str | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        keras_masking.export(MODELS["m1"](), tmp_path / name, format)
    assert everything_in(tmp_path) == []


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="there is no folder"):
        keras_masking.export(MODELS["m1"](), tmp_path / "no" / NAME)
    other = tmp_path / NAME
    if "." in NAME:
        other.mkdir()
        expected = "is a folder, not a file"
    else:
        other.mkdir()
        (other / "notes.txt").write_text("mine")
        expected = "is a folder with other files"
    with pytest.raises(OSError, match=expected):
        keras_masking.export(MODELS["m1"](), other)


def test_a_missing_package_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = formats.FORMATS[FORMAT]
    needs = {BACKEND: (("no_writer",), ("no_runtime",), "export-some")}
    changed = {**formats.FORMATS, FORMAT: found._replace(needs=needs)}
    monkeypatch.setattr(formats, "FORMATS", changed)
    with pytest.raises(ImportError) as caught:
        keras_masking.export(MODELS["m1"](), path)
    assert "'no_writer', which is not installed" in str(caught.value)
    assert "pip install 'keras-masking[export-some]'" in str(caught.value)
    needs[BACKEND] = ((), ("no_runtime",), "export-some")
    with pytest.raises(ImportError, match="Or pass `verify=False`"):
        keras_masking.export(MODELS["m1"](), path)
    assert everything_in(path.parent) == []


@keras.saving.register_keras_serializable(package="tests")
class Deciding(keras.layers.Layer):
    """Decides in Python by the value of a tensor."""

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, keras.KerasTensor):
            total = keras.ops.convert_to_numpy(keras.ops.sum(inputs))
            if float(total) > 0:
                return inputs * 2.0
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def test_a_layer_that_cannot_be_traced_is_named(path: Path) -> None:
    x = keras.Input((None, 4), name="x")
    y = keras.layers.Dense(3, name="before")(x)
    model = keras.Model(x, Deciding(name="deciding")(y))
    model.run_eagerly = True
    with pytest.raises(ExportError) as caught:
        keras_masking.export(model, path)
    assert "was not written" in str(caught.value)
    assert "'deciding', a Deciding of your own code" in str(caught.value)
    assert everything_in(path.parent) == []
