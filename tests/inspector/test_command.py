"""`keras-masking inspect` as a user types it."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_masking import cli_inspect
from keras_masking import cli_model as command
from keras_masking import layers
from keras_masking.contract.backends.processes import BACKENDS
from keras_masking.contract.backends.processes import installed
from keras_masking.inspector.report import MaskReport
from tests.helpers import BACKEND
from tests.helpers import refused as refusing
from tests.helpers import typed as typing

ROOT = Path(__file__).parents[2]
IDS = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8]], "int32")
HIDDEN = ["--html", "--json", "--plot"]  # before there was --report
OWN = ("leaking", "broken", "subclassed")  # modules of tests
LEAKY = """
import keras

@keras.saving.register_keras_serializable("mine")
class Leaky(keras.layers.Layer):
    def call(self, inputs):
        {body}

    def compute_mask(self, inputs, mask=None):
        return None
"""


def registered() -> tuple[dict[str, Any], set[str]]:
    return dict(keras.saving.get_custom_objects()), set(sys.modules)


def forget(known: tuple[dict[str, Any], set[str]]) -> None:
    """What was imported and registered since, so that a command has to."""
    objects, modules = keras.saving.get_custom_objects(), set(sys.modules)
    objects.clear()
    objects.update(known[0])
    for name in modules - known[1]:
        if name in OWN:
            del sys.modules[name]


INIT = """
    def __init__(self, **options):
        super().__init__(**options)
        self.table = keras.layers.Embedding(10, 4)

"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    known = registered()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield tmp_path
    forget(known)


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """How a report looks is tested elsewhere."""

    def text(report: MaskReport) -> str:
        lines = [f"{call.name} {call.verdict}" for call in report.findings]
        return "\n".join([report.summary(), *lines, *report.notes])

    monkeypatch.setattr(MaskReport, "__str__", text)
    for name in ("to_html", "plot"):
        monkeypatch.setattr(
            MaskReport,
            name,
            lambda report, path: Path(path).write_text(report.summary()),
        )


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Any:
    return typing(monkeypatch, capfd, "inspect")


@pytest.fixture
def refused(typed: Any) -> Callable[..., str]:
    return refusing(typed)


def save(model: Any, name: str = "model.keras") -> str:
    model.save(name)
    return name


def sequential(*body: Any) -> str:
    start = keras.Input((None,), dtype="int32", name="ids")
    table = keras.layers.Embedding(10, 4, mask_zero=True)
    return save(keras.Sequential([start, table, *body]))


def sound() -> str:
    return sequential(layers.MaskedGlobalMaxPooling1D(name="pool"))


def custom(folder: Path, module: str, body: str) -> str:
    """A model with a layer of a module in the folder; both forgotten."""
    (folder / f"{module}.py").write_text(LEAKY.format(body=body))
    known = registered()
    sys.path.insert(0, str(folder))
    ours = layers.MaskedConv1D(4, 3, padding="same")
    name = sequential(ours, import_module(module).Leaky(name="leaky"))
    sys.path.remove(str(folder))
    forget(known)
    return name


def leaky(folder: Path) -> str:
    return custom(folder, "leaking", "return keras.ops.mean(inputs, axis=1)")


def two_inputs(structure: type = list) -> str:
    ids = keras.Input((None,), dtype="int32", name="ids")
    more = keras.Input((None, 4), name="more")
    x = keras.layers.Embedding(10, 4, mask_zero=True)(ids)
    x = layers.MaskedAdd()([x, more])
    x = layers.MaskedGlobalMaxPooling1D()(x)
    inputs = [ids, more] if structure is list else {"ids": ids, "more": more}
    return save(keras.Model(inputs, x))


MORE = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")


def test_sound(typed: Any) -> None:
    for words in ([], ["--strict"]):
        code, out, err = typed(sound(), *words)
        assert (code, err) == (0, "")
        assert "0 findings" in out
        assert "made up: ids (3, 7)" in out


def test_packed_rows(typed: Any) -> None:
    model = sequential(layers.MaskedGlobalMaxPooling1D(name="pool"))
    np.savez("rows.npz", ids=np.array([[1, 2, 0, 3, 4, 5]]))
    words = model, "--inputs", "rows.npz", "--strict"
    assert typed(*words)[0] == 0
    code, out, _ = typed(*words, "--packed")
    assert code == 1 and "pool leaks" in out


def test_findings(typed: Any, folder: Path) -> None:
    model = leaky(folder)
    for words, expected in (([], 0), (["--strict"], 1)):
        code, out, err = typed(model, "--import", "leaking", *words)
        assert (code, err) == (expected, "")
        assert "leaky leaks" in out


def test_a_model_that_fails(typed: Any) -> None:
    np.savez("x.npz", ids=IDS, more=np.pad(MORE, [(0, 0), (0, 2), (0, 0)]))
    words = ("--inputs", "x.npz", "--json", "out.json")
    code, out, _ = typed(two_inputs(), *words)
    assert code == 3
    assert "the model failed" in out
    report = json.loads(Path("out.json").read_text())
    assert report["error"]
    assert "MaskedAdd" in [call["type"] for call in report["calls"]]


@pytest.mark.parametrize("options", [["--report"] * 3, HIDDEN])
def test_files(options: list[str], typed: Any) -> None:
    files = ("o.html", "o.json", "o.png")
    words = [w for pair in zip(options, files) for w in pair]
    code, out, _ = typed(sound(), *words)
    assert code == 0
    report = json.loads(Path("o.json").read_text())
    assert report["ok"]
    assert [call["name"] for call in report["calls"]][-1] == "pool"
    summary = out.splitlines()[0]
    assert Path("o.html").read_text() == Path("o.png").read_text() == summary


@pytest.mark.parametrize("words", [[], ["--no-probe"], ["--training"]])
def test_options(
    words: list[str], typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = {}
    monkeypatch.setattr(
        "keras_masking.inspector.inspection.inspect_masks",
        lambda model, inputs, **options: (
            passed.update(options) or MaskReport("m", "b")
        ),
    )
    assert typed(sound(), *words)[0] == 0
    probe, training = "--no-probe" not in words, "--training" in words
    plain = {"padding": None, "packed": False}
    assert passed == {"probe": probe, "training": training, **plain}


def test_not_measured(typed: Any) -> None:
    """A model without a mask says nothing about padding, unless it is told."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = keras.layers.Embedding(10, 4)(ids)
    model = save(
        keras.Model(ids, keras.layers.GlobalMaxPooling1D(name="pool")(x))
    )
    for words, expected in (([], 0), (["--strict"], 4)):
        code, out, _ = typed(model, *words)
        assert code == expected
        assert out.splitlines()[0].endswith("not measured")
    code, out, _ = typed(model, "--padding", "ids=0", "--strict")
    assert code == 1
    assert "pool leaks" in out
    assert typed(model, "--padding", "ids=none", "--strict")[0] == 0


def test_padding_that_does_not_fit(refused: Any) -> None:
    model = sound()
    assert "must be NAME=VALUE" in refused(model, "--padding", "ids")
    assert "must be NAME=VALUE" in refused(model, "--padding", "ids=a")
    line = refused(model, "--padding", "id=0")
    assert "`padding` must name inputs" in line and "'ids'?" in line


def record_inputs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen = []
    monkeypatch.setattr(
        "keras_masking.inspector.inspection.inspect_masks",
        lambda model, inputs, **_: seen.append(inputs) or MaskReport("m", "b"),
    )
    return seen


@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_one_array(
    name: str, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = record_inputs(monkeypatch)
    if name == "x.npy":
        np.save(name, IDS)
    else:
        np.savez(name, whatever=IDS)
    assert typed(sound(), "--inputs", name)[0] == 0
    np.testing.assert_array_equal(seen[0], IDS)


@pytest.mark.parametrize("structure", [list, dict])
def test_arrays_by_name(
    structure: type, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez("x.npz", more=MORE, ids=IDS)
    assert typed(two_inputs(structure), "--inputs", "x.npz")[0] == 0
    seen = record_inputs(monkeypatch)
    assert typed("model.keras", "--inputs", "x.npz")[0] == 0
    places = ("ids", "more") if structure is dict else (0, 1)
    np.testing.assert_array_equal(seen[0][places[0]], IDS)
    np.testing.assert_array_equal(seen[0][places[1]], MORE)


def test_inputs_that_do_not_fit(refused: Any) -> None:
    model = two_inputs()

    def saved(**arrays: Any) -> str:
        np.savez("x.npz", **arrays)
        return refused(model, "--inputs", "x.npz")

    assert "no input 'mroe'" in (line := saved(ids=IDS, mroe=MORE))
    assert "It has ids, more. Did you mean 'more'?" in line
    assert "lacks the inputs more." in saved(ids=IDS)
    line = saved(ids=IDS, more=IDS)
    assert "'more' must have the shape (None, None, 4), rank 3" in line
    assert "has (2, 5), rank 2" in line
    assert "(2, 5, 3)" in saved(ids=IDS, more=MORE[..., :3])
    assert "ids 2, more 1" in saved(ids=IDS, more=MORE[:1])
    assert "numbers, not <U1" in saved(ids=IDS.astype("<U1"), more=MORE)
    assert "holds no array" in saved()
    ragged = np.array([[1], [1, 2]], dtype=object)
    assert "holds Python objects" in saved(ids=ragged, more=MORE)
    np.save("x.npy", IDS)
    assert "no input ''" not in (line := refused(model, "--inputs", "x.npy"))
    assert "one array" in line and "ids, more" in line


def test_files_of_inputs_that_cannot_be_read(refused: Any) -> None:
    model = sound()
    line = refused(model, "--inputs", "gone.npy")
    assert "gone.npy cannot be read: No such file" in line
    Path("x.txt").write_text("1 2 3")
    assert "not a .npy or .npz file" in refused(model, "--inputs", "x.txt")
    Path("x.txt").write_text("")
    assert "not a .npy or .npz file" in refused(model, "--inputs", "x.txt")
    np.savez("x.npz", ids=IDS)
    np.save("x.npy", IDS)
    for name in ("x.npz", "x.npy"):
        whole = Path(name).read_bytes()
        Path(name).write_bytes(whole[: len(whole) // 2])
        line = refused(model, "--inputs", name)
        assert f"{name} is damaged" in line
    np.save("o.npy", np.array([[1], [1, 2]], dtype=object))
    line = refused(model, "--inputs", "o.npy")
    assert "holds Python objects" in line


def test_files_of_models_that_cannot_be_read(
    refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:  # refused before Keras starts
        patch.delattr(command, "_start_keras")
        assert "there is no file gone.keras" in refused("gone.keras")
        Path("d.keras").mkdir()
        assert "d.keras is a folder" in refused("d.keras")
        Path("x.txt").write_text("hello")
        assert "x.txt is not a .keras file" in refused("x.txt")
        Path("x.h5").write_text("hello")
        assert "Load it in Python, and save it" in refused("x.h5")
        whole = Path(sound()).read_bytes()
        Path("half.keras").write_bytes(whole[: len(whole) // 2])
        assert "half.keras is damaged" in refused("half.keras")
        with zipfile.ZipFile("other.keras", "w") as archive:
            archive.writestr("hello", "hello")
        assert "holds no model" in refused("other.keras")
    with (
        zipfile.ZipFile("model.keras") as source,
        zipfile.ZipFile("weights.keras", "w") as archive,
        zipfile.ZipFile("config.keras", "w") as other,
    ):
        for name in source.namelist():
            content = source.read(name)
            weights = name.endswith(".h5")
            archive.writestr(name, b"nothing" if weights else content)
            other.writestr(name, content if weights else b"{")
    assert "weights.keras cannot be loaded: OSError" in refused("weights.keras")
    line = refused("config.keras")
    assert "config.keras cannot be loaded: JSONDecodeError" in line
    at = whole.index(b"config.json") + 30
    Path("bits.keras").write_bytes(whole[:at] + b"\1" * 50 + whole[at + 50 :])
    assert "bits.keras is damaged" in refused("bits.keras")


@pytest.mark.filterwarnings("ignore:The object being serialized includes")
def test_code_in_a_file(refused: Any) -> None:
    made = keras.layers.Lambda(lambda x: x * 2, output_shape=(4,))
    line = refused(save(keras.Sequential([keras.Input((4,)), made])))
    assert "holds a Python lambda" in line
    assert "safe_mode=False" in line
    assert "inspect_masks(model)" in line


def test_custom_classes(refused: Any, typed: Any, folder: Path) -> None:
    model = leaky(folder)
    line = refused(model)
    assert "the class 'Leaky', which is not registered" in line
    assert "`--import your_module`" in line
    line = refused(model, "--import", "lekaing")
    assert "lekaing cannot be imported: ModuleNotFoundError: No mod" in line
    (folder / "broken.py").write_text("1 / 0")
    line = refused(model, "--import", "broken")
    assert "broken cannot be imported: ZeroDivisionError" in line
    both = ("--import", "json", "--import", "leaking")
    assert typed(model, *both)[0] == 0


@pytest.mark.filterwarnings("ignore:The object being serialized includes")
def test_a_loss_is_not_needed(typed: Any) -> None:
    name = sound()
    model = keras.saving.load_model(name)
    model.compile("sgd", lambda y, p: keras.ops.mean(p))
    model.fit(IDS, np.zeros((2, 4)), verbose=0)
    model.save("trained.keras")
    assert typed("trained.keras")[0] == 0


def test_a_subclassed_model(refused: Any, typed: Any, folder: Path) -> None:
    (folder / "subclassed.py").write_text(
        LEAKY.format(body="return self.table(inputs)")
        .replace("layers.Layer", "Model")
        .replace("    def call", INIT + "    def call")
    )
    sys.path.insert(0, str(folder))
    model = import_module("subclassed").Leaky()
    model(IDS)
    save(model)
    words = ("model.keras", "--import", "subclassed")
    assert "Pass inputs" in refused(*words)
    np.save("x.npy", IDS)
    code, out, _ = typed(*words, "--inputs", "x.npy")
    assert code == 0
    assert "in 2 calls" in out


def test_where_it_cannot_write(
    refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = sound()
    monkeypatch.delattr(command, "_start_keras")  # refused before Keras starts
    for name in ("html", "json", "plot"):
        line = refused(model, f"--{name}", "gone/out")
        assert f"--{name}: there is no folder gone." in line
        Path(name).mkdir()
        assert f"--{name}: {name} is a folder" in refused(
            model, f"--{name}", name
        )
    line = refused(model, "--report", "gone/out.html")
    assert "--report: there is no folder gone." in line
    line = refused(model, "--report", "out.pdf")
    assert "out.pdf must end in .html, .json, .png or .svg." in line
    monkeypatch.setattr(cli_inspect, "find_spec", lambda name: None)
    for option in ("--plot", "--report"):
        line = refused(model, option, "o.png")
        assert f"{option}: o.png needs matplotlib" in line


def test_backends(
    refused: Any, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = sound()
    assert typed(model, "--backend", BACKEND)[0] == 0
    line = refused(model, "--backend", "pytorch")
    assert "'pytorch' is not an installed backend" in line
    assert "Did you mean 'torch'?" in line
    assert BACKEND in line
    started = []
    monkeypatch.setattr(
        command, "_start_keras", lambda backend: started.append(backend)
    )
    choices = [(None, None), ("numpy", None), (BACKEND, None), ("x", BACKEND)]
    for environment, option in choices:
        if environment is None:
            monkeypatch.delenv("KERAS_BACKEND")
        else:
            monkeypatch.setenv("KERAS_BACKEND", environment)
        typed(model, *(["--backend", option] if option else []))
    first = installed()[0]
    assert started == [first, first, BACKEND, BACKEND]
    monkeypatch.setattr(command, "installed", list)
    assert "no backend is installed" in refused(model)
    missing = next(iter(set(BACKENDS) - {BACKEND}))
    monkeypatch.setattr(command, "installed", lambda: [BACKEND])
    line = refused(model, "--backend", missing)
    assert "is not an installed" in line
    assert "Did you mean" not in line


def test_another_backend_than_that_of_keras(
    refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = next(iter(set(BACKENDS) - {BACKEND}))
    model = sound()
    monkeypatch.setattr(command, "installed", lambda: [other, BACKEND])
    monkeypatch.setattr(command, "import_module", lambda name: None)
    line = refused(model, "--backend", other)
    assert f"Keras already runs on {BACKEND}" in line


def test_a_process_of_its_own(folder: Path) -> None:
    """With the report as a user sees it."""
    words = [leaky(folder), "--import", "leaking", "--strict"]
    done = subprocess.run(
        [sys.executable, "-m", "keras_masking.cli", "inspect", *words],
        env={k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "leaky" in done.stdout
    assert "Traceback" not in done.stderr
