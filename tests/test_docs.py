"""Docstrings have their sections, and the README says what they say."""

import inspect
import re
import runpy
from pathlib import Path

import keras
import pytest

from keras_masking import layers
from keras_masking import losses
from keras_masking import metrics
from keras_masking import ops

ROOT = Path(__file__).parents[1]
SECTIONS = [
    "Args",
    "Call arguments",
    "Mask behavior",
    "Returns",
    "Raises",
    "Example",
]


MADE = runpy.run_path(str(ROOT / "docs" / "make_layers.py"))
sections, entries = MADE["sections"], MADE["entries"]


@pytest.mark.parametrize("name", layers.__all__)
def test_a_layer_says_everything(name: str) -> None:
    layer = getattr(layers, name)
    found = sections(layer.__doc__)
    assert [s for s in found if s in SECTIONS] == SECTIONS
    columns = list(MADE["COLUMNS"])
    if not hasattr(layer, "window") and name != "MaskedConv1DTranspose":
        columns.remove("Windows")
    assert list(entries(name, "Mask behavior")) == columns
    assert_says_how_to_make_it(layer)


@pytest.mark.parametrize(
    "public",
    [getattr(m, name) for m in (losses, metrics) for name in m.__all__],
)
def test_a_loss_or_metric_says_everything(public: type) -> None:
    found = sections(public.__doc__)
    assert [s for s in found if s in SECTIONS] == SECTIONS
    assert_says_how_to_make_it(public)


def assert_says_how_to_make_it(public: type) -> None:
    """There is an example, and all arguments are explained."""
    found = sections(public.__doc__)
    assert ">>> " in found["Example"]
    arguments = set(
        re.findall(r"^    (\*{0,2}\w+): ", found["Args"], flags=re.M)
    )
    signature = inspect.signature(public.__init__).parameters.values()
    assert arguments == {
        ("**" if p.kind is p.VAR_KEYWORD else "") + p.name
        for p in signature
        if p.name != "self"
    }


@pytest.mark.parametrize("name", ops.__all__)
def test_a_function_says_everything(name: str) -> None:
    function = getattr(ops, name)
    found = sections(function.__doc__)
    assert {"Args", "Returns"} <= set(found)
    arguments = re.findall(r"^    (\w+): ", found["Args"], flags=re.M)
    assert arguments == list(inspect.signature(function).parameters)


def test_a_prefix_means_a_layer_of_keras() -> None:
    for name in layers.__all__:
        said = entries(name, "Keras layer")
        assert list(said) in ([], MADE["KERAS"])
        theirs = re.match(
            r"`(keras|keras_hub)\.layers\.(\w+)`", said.get("Drops in for", "")
        )
        if theirs and theirs[1] == "keras":
            assert issubclass(
                getattr(keras.layers, theirs[2]), keras.layers.Layer
            )
        if name.startswith("Masked") and hasattr(
            keras.layers, name.removeprefix("Masked")
        ):
            assert theirs[2] == name.removeprefix("Masked")


def test_the_page_of_layers() -> None:
    written = (ROOT / "docs" / "layers.md").read_text()
    assert written == MADE["page"](), "run `python docs/make_layers.py`"


def test_the_readme_has_the_table() -> None:
    readme = (ROOT / "README.md").read_text()
    assert readme == MADE["readme"](readme), "run `python docs/make_layers.py`"


def test_the_readme_names_what_is_there() -> None:
    readme = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", readme):
        assert (ROOT / target).exists(), target
    for name in re.findall(r"(?<!keras\.)layers\.(\w+)\(", readme):
        assert hasattr(layers, name), name
    for extra in re.findall(r"\.\[([\w,]+)\]", readme):
        pyproject = (ROOT / "pyproject.toml").read_text()
        for part in extra.split(","):
            assert f"\n{part} = [" in pyproject, part
