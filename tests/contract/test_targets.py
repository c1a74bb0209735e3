"""Strings that name layers."""

import sys
from pathlib import Path

import keras
import pytest

from keras_masking.contract import Case
from keras_masking.contract import TargetError
from keras_masking.contract.backends.targets import find
from keras_masking.contract.backends.targets import resolve
from keras_masking.contract.backends.targets import resolve_all

pytestmark = pytest.mark.once

LAYERS = """
import keras
from keras_masking.contract import Case

class Fine(keras.layers.Layer):
    class Inner(keras.layers.Layer):
        pass

class _Hidden(keras.layers.Layer):
    pass

class Plain:
    pass

class BadInit(keras.layers.Layer):
    def __init__(self):
        raise ValueError("no good")

def factory(rate=0.5):
    return keras.layers.Dropout(rate)

def two():
    return [Fine(), Fine()]

def needs(units):
    return keras.layers.Dense(units)

case = Case(Fine, name="mine", role="passes")
several = [case, Fine, keras.layers.ReLU]
layer = keras.layers.ReLU()
five = 5
empty = []
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with layers in it, imported again by each test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    (tmp_path / "mine.py").write_text(LAYERS)
    inside = tmp_path / "pack" / "sub"
    inside.mkdir(parents=True)
    (tmp_path / "pack" / "__init__.py").write_text("")
    (inside / "__init__.py").write_text("")
    (inside / "deep.py").write_text("from pack.sub.more import Deep")
    (inside / "more.py").write_text(
        "import keras\nclass Deep(keras.layers.Layer):\n    pass\n"
        "class Also(keras.layers.Layer):\n"
        "    def __init__(self, units):\n        super().__init__()\n"
    )
    (tmp_path / "cases.py").write_text("from mine import several as MASK_CASES")
    (tmp_path / "exits.py").write_text("raise SystemExit('gone')")
    (tmp_path / "raises.py").write_text("1 / 0")
    (tmp_path / "broken.py").write_text("import not_there")
    (tmp_path / "json.py").write_text("Fine = 1")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("target", "names", "kind"),
    [
        ("keras.layers:ReLU", ["ReLU"], "ReLU"),
        ("keras.layers:MaxPooling1D(2)", ["MaxPooling1D(2)"], "MaxPooling1D"),
        (
            'keras.layers:Conv1D(4, kernel_size=[2], padding="same")',
            ["Conv1D(4, kernel_size=[2], padding='same')"],
            "Conv1D",
        ),
        ("mine:Fine", ["Fine"], "Fine"),
        ("mine:Fine.Inner", ["Inner"], "Inner"),
        ("mine:Fine.Inner()", ["Fine.Inner()"], "Inner"),
        ("mine.py:Fine", ["Fine"], "Fine"),
        ("mine:factory", ["factory"], "Dropout"),
        ("mine:factory(rate=0.1)", ["factory(rate=0.1)"], "Dropout"),
        ("mine:case", ["mine"], "Fine"),
        ("mine:several", ["mine", "Fine", "ReLU"], "Fine"),
        ("mine:layer", ["ReLU"], "ReLU"),
        ("cases", ["mine", "Fine", "ReLU"], "Fine"),
        ("cases.py", ["mine", "Fine", "ReLU"], "Fine"),
        ("pack/sub/deep.py:Deep", ["Deep"], "Deep"),
    ],
)
def test_targets(target: str, names: list[str], kind: str) -> None:
    cases = resolve(target)
    assert [case.name for case in cases] == names
    assert type(cases[0].make()).__name__ == kind


@pytest.mark.parametrize(
    "target",
    [
        "keras.layers:GroupNormalization(groups=2)",
        "keras.layers:ReLU",
        "mine:Fine.Inner()",
        "mine.py:factory",
        "mine:several",
        "pack/sub/deep.py:Deep",
    ],
)
def test_scripts_run_as_printed(target: str) -> None:
    for case in resolve(target):
        *lines, last = case.script.splitlines()
        space: dict = {}
        exec("\n".join(lines), space)
        made = eval(last, space)
        made = made.make() if isinstance(made, Case) else made
        layer = made if isinstance(made, keras.layers.Layer) else made()
        assert type(layer) is type(case.make())


def test_a_module_without_cases_gives_its_layer_classes() -> None:
    found = find("mine")
    assert [one.case.name for one in found] == ["BadInit", "Fine"]


def test_names_differ() -> None:
    cases = resolve_all(["mine:Fine", "mine.py:Fine", "mine:Fine"])
    assert [case.name for case in cases] == ["Fine", "Fine #2", "Fine #3"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("", "'' is not a target"),
        (":", "':' is not a target"),
        ("a b", "'a b' is not a target"),
        ("keras.layers:", "'keras.layers:' is not a target"),
        (".mine:Fine", "'.mine' is not a|'.mine:Fine' is not a target"),
        ("nope:X", "there is no module 'nope'"),
        ("keras.layers.ReLU", "Did you mean 'keras.layers:ReLU'"),
        ("keras.layers:Relu", "no attribute 'Relu'. Did you mean 'ReLU'"),
        ("keras.layers", "has no MASK_CASES and defines no public layer class"),
        ("nope.py:X", "there is no file 'nope.py'"),
        ("json.py:Fine", "another module is named 'json'"),
        ("exits:X", "importing exits raised SystemExit: gone"),
        ("raises:X", "importing raises raised ZeroDivisionError"),
        ("broken:X", "importing broken raised ModuleNotFoundError"),
        ("mine:Fin", "has no attribute 'Fin'. Did you mean 'Fine'"),
        ("mine:Plain", "Plain is not a layer, but another class"),
        (
            "mine:five",
            "five is not a layer, but a int|five is not a layer, but a",
        ),
        ("mine:empty", "the list empty is empty"),
        ("mine:two", "two is not a layer: it returned list"),
        ("mine:needs", "needs arguments: units.*'mine:needs\\(units=...\\)'"),
        ("keras.layers:Dense", "Dense needs arguments: units"),
        ("pack.sub.more", "pack.sub.more:Also needs arguments: units"),
        ("mine:BadInit", "making BadInit raised ValueError: no good"),
        ("mine:five(1)", "five cannot be called"),
        ("mine:factory(1, 2)", "factory: too many positional arguments"),
        ("keras.layers:Dense(x)", "the arguments must be literals"),
        ("keras.layers:ReLU(*[1])", "the arguments must be literals"),
        ("keras.layers:ReLU(**{'a': 1})", "the arguments must be literals"),
        ("keras.layers:Dense(4 4)", "is not valid Python"),
        ("keras.layers:ReLU()(1)", "is not a call"),
        (
            "keras.layers:Dense(4, foo=1)",
            "making Dense\\(4, foo=1\\) raised ValueError: Unrecognized",
        ),
    ],
)
def test_wrong_targets(target: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        resolve(target)
