"""Docstrings have their sections, and the README agrees with them."""

import dataclasses
import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import keras
import pytest

import keras_masking
from keras_masking import batching
from keras_masking import contract
from keras_masking import exporting
from keras_masking import inspector
from keras_masking import layers
from keras_masking import losses
from keras_masking import metrics
from keras_masking import ops
from keras_masking.contract import registry
from tools import make_layers
from tools.exports import page as exports_page

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SECTIONS = [
    "Args",
    "Call arguments",
    "Mask behavior",
    "Returns",
    "Raises",
    "Example",
]


sections, entries = make_layers.sections, make_layers.entries


@pytest.mark.parametrize("name", layers.__all__)
def test_a_layer_says_everything(name: str) -> None:
    layer = getattr(layers, name)
    found = sections(layer.__doc__)
    assert [s for s in found if s in SECTIONS] == SECTIONS
    columns = list(make_layers.COLUMNS)
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
    stars = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    assert arguments == {
        stars.get(p.kind, "") + p.name for p in signature if p.name != "self"
    }


@pytest.mark.parametrize(
    "function",
    [getattr(ops, name) for name in ops.__all__]
    + [batching.fill_rows, batching.split_weights],
)
def test_a_function_says_everything(function: Any) -> None:
    found = sections(function.__doc__)
    taken = list(inspect.signature(function).parameters)
    if taken:  # a context manager has no arguments
        assert {"Args", "Returns"} <= set(found)
    said = re.findall(r"^    (\w+): ", found.get("Args", ""), flags=re.M)
    assert said == taken


@pytest.mark.parametrize("name", batching.__all__)
def test_batches_say_everything(name: str) -> None:
    public = getattr(batching, name)
    named = getattr(public, "_fields", None)
    if dataclasses.is_dataclass(public):
        named = [field.name for field in dataclasses.fields(public)]
    if named is not None:  # what others return
        found = sections(public.__doc__)["Attributes"]
        assert re.findall(r"^    (\w+): ", found, flags=re.M) == list(named)
        return
    found = sections(public.__doc__)
    needed = "Args", "Returns", "Raises", "Example"
    if inspect.isclass(public):
        needed = "Args", "Raises", "Example"
    assert [s for s in found if s in needed] == list(needed)
    assert ">>> " in found["Example"]
    said = re.findall(r"^    (\*{0,2}\w+): ", found["Args"], flags=re.M)
    parameters = inspect.signature(public).parameters.values()
    assert [name.lstrip("*") for name in said] == [p.name for p in parameters]


def test_a_prefix_means_a_layer_of_keras() -> None:
    for name in layers.__all__:
        said = entries(name, "Keras layer")
        assert list(said) in ([], make_layers.KERAS)
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
    assert written == make_layers.page(), "run `python -m tools.make_layers`"


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


def shown_in_the_api() -> list[str]:
    """The full names of what the pages of the API show."""
    pages = [path.read_text() for path in (DOCS / "api").glob("*.md")]
    return re.findall(r"^::: ([\w.]+)$", "\n".join(pages), flags=re.M)


def unfenced(text: str) -> list[str]:
    """Lines of examples that stand outside the fences of a page."""
    found, fence = [], ""
    for line in text.splitlines():
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and line.strip() == mark[1]:
            fence = ""
        elif not fence and re.match(r"\s*>>>", line):
            found.append(line)
    return found


MARKDOWN = [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda p: p.name)
def test_examples_are_fenced(path: Path) -> None:
    """Without a fence Markdown renders them as a quote."""
    assert unfenced(path.read_text()) == []
    assert unfenced("```python\n>>> 1\n1\n```\n>>> 2\n") == [">>> 2"]


@pytest.mark.parametrize("path", shown_in_the_api())
def test_examples_of_docstrings_have_their_section(path: str) -> None:
    """Otherwise the site shows them as a quote."""
    module, _, name = path.rpartition(".")
    thing = getattr(importlib.import_module(module), name)
    members = [
        member
        for member in (vars(thing).values() if inspect.isclass(thing) else ())
        if isinstance(member, property) or inspect.isroutine(member)
    ]
    for each in (thing, *members):
        text = inspect.cleandoc(each.__doc__ or "")
        before = text.split("\nExample:\n")[0]
        assert ">>> " not in before, f"{each}: put it under `Example:`"


def test_a_place_of_the_site_has_one_name() -> None:
    settings = (ROOT / "mkdocs.yml").read_text()
    nav = settings.split("\nnav:\n")[1].split("\n\n")[0]
    titles = re.findall(r"- ([^:]+):", nav)
    assert len(titles) == len(set(titles)) > 20
    for name in re.findall(r": (\S+\.md)$", nav, flags=re.M):
        made = name in ("changelog.md", "first_steps.md")  # tools/site.py
        assert (DOCS / name).exists() != made, name


def test_the_api_has_every_public_name() -> None:
    shown = shown_in_the_api()
    names = [path.rsplit(".", 1)[1] for path in shown]
    errors = vars(keras_masking.errors).items()
    public = {name for name, thing in errors if isinstance(thing, type)}
    public.add("convert")
    parts = batching, contract, exporting, inspector, layers, losses
    parts += metrics, ops
    for module in parts:
        public |= set(module.__all__)
    wanted = {name for name in public if not name.startswith("_")}
    # What `convert` returns.
    wanted |= {"ConversionReport", "Difference", "MeasuredDrift"}
    assert sorted(names) == sorted(wanted)
    for path in shown:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name), path


def test_every_check_has_its_clause() -> None:
    page = (DOCS / "contract.md").read_text()
    linked = re.findall(r"\[`([\w-]+)`\]\(checks\.md#([\w-]+)\)", page)
    assert all(name == anchor for name, anchor in linked)
    assert {name for name, _ in linked} == set(registry.every_check())


def test_the_template_of_the_guide(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```python\n(?!>>>)(.*?)^```",
        (DOCS / "guide.md").read_text(),
        flags=re.M | re.S,
    )
    template, test = blocks
    assert "parametrize_with_checks([MyPool])" in test
    space: dict[str, Any] = {}
    exec(template, space)
    report = contract.check_layer(
        space["MyPool"],
        only=[
            "alone-equals-batched",
            "empty-row",
            "functional",
            "mask-dropped",
            "nan-padding",
            "precision",
            "save-load",
        ],
    )
    assert report.ok, str(report)


WHICH = (DOCS / "which_layer.md").read_text()
ROWS = [
    row.split(" | ") for row in re.findall(r"^\| (`.*) \|$", WHICH, flags=re.M)
]
# The names of both, in backticks, with or without their arguments.
NAME = r"`([A-Z]\w+)[`(]"
LATER = {"Mosaic", "TernaryDense"}  # of Keras 3.16
AS_IT_IS = {
    "Activation": {"activation": "relu"},
    "Dense": {"units": 4},
    "PReLU": {"shared_axes": [1]},
    "Rescaling": {"scale": 2.0},
    "Normalization": {"mean": 0.0, "variance": 1.0},
    "Dropout": {"rate": 0.5},
    "SpatialDropout1D": {"rate": 0.5},
    "AlphaDropout": {"rate": 0.5},
    "GaussianDropout": {"rate": 0.5},
    "GaussianNoise": {"stddev": 0.5},
    "TernaryDense": {"units": 4},
}
# Layers that make masks, wrappers, and layers with other inputs.
NOT_JUDGED = {
    "AdditiveAttention",
    "Attention",
    "Embedding",
    "GRUCell",
    "Input",
    "InputLayer",
    "LSTMCell",
    "Masking",
    "RNN",
    "RepeatVector",
    "ReversibleEmbedding",
    "SimpleRNNCell",
    "StackedRNNCells",
}


def test_every_layer_of_keras_is_named() -> None:
    classes: dict[type, list[str]] = {}
    for name, found in vars(keras.layers).items():
        if isinstance(found, type) and issubclass(found, keras.layers.Layer):
            classes.setdefault(found, []).append(name)
    told = set(re.findall(r"`(\w+)`", WHICH))
    assert [n for n in classes.values() if not told & set(n)] == []
    for theirs, use, why in ROWS:
        for name in re.findall(NAME, theirs):
            assert hasattr(keras.layers, name) or name in LATER, name
        for name in re.findall(NAME, use):
            ours, keras_has = name in layers.__all__, name in dir(keras.layers)
            assert ours or keras_has or name in LATER, name
        assert why
    sections = WHICH.split("## Before there is a mask")[1]
    for name in re.findall(NAME, sections):
        known = name in dir(keras.layers) or name in layers.__all__
        assert known or name in LATER, name


def as_it_is() -> list[str]:
    """The layers that the page says to keep, and that can be tested."""
    names = {
        name
        for theirs, use, _ in ROWS
        if use.startswith("as it is")
        for name in re.findall(NAME, theirs)
    }
    assert names >= NOT_JUDGED
    return sorted(n for n in names - NOT_JUDGED if hasattr(keras.layers, n))


@pytest.mark.parametrize("name", as_it_is())
def test_what_the_page_keeps_is_right(name: str) -> None:
    def make() -> keras.layers.Layer:
        return getattr(keras.layers, name)(**AS_IT_IS.get(name, {}))

    only = ["pad-value", "mask-kept", "mask-dropped"]
    report = contract.check_layer(make, only=only)
    assert report.ok, str(report)


@pytest.mark.once
def test_the_table_of_exports_is_that_of_its_record() -> None:
    said = "run `python -m tools.exports pages`"
    assert exports_page.PAGE.read_text("utf-8") == exports_page.page(), said
    record = json.loads(exports_page.RECORD.read_text("utf-8"))
    for backend in exports_page.NAMES:
        assert {*layers.__all__} - {*record[backend]["rows"]} <= {"MaskAware"}
