"""Docstrings have their sections, and the README says what they say."""

import inspect
import re
from pathlib import Path

import pytest

from keras_masking import layers
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
MASK_BEHAVIOR = ["Reads", "Emits", "Empty row", "Padding values"]


def sections(text: str) -> dict[str, str]:
    """The parts of a docstring that begin with a name at its margin."""
    parts = re.split(
        r"^([A-Z][a-z]+(?: [a-z]+)?):\n", inspect.cleandoc(text), flags=re.M
    )
    return dict(zip(parts[1::2], parts[2::2]))


def mask_behavior(name: str) -> dict[str, str]:
    """The lines of a layer's section on masks."""
    text = inspect.cleandoc(
        sections(getattr(layers, name).__doc__)["Mask behavior"]
    )
    lines = re.split(r"^([A-Z][a-z]+(?: [a-z]+)?): ", text, flags=re.M)
    return {
        key: " ".join(value.split())
        for key, value in zip(lines[1::2], lines[2::2])
    }


def table() -> str:
    """The README's table."""
    rows = ["| layer | reads | emits | empty row |", "|---|---|---|---|"]
    for name in layers.__all__:
        said = mask_behavior(name)
        cells = [said[key].rstrip(".") for key in MASK_BEHAVIOR[:3]]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


@pytest.mark.parametrize("name", layers.__all__)
def test_a_layer_says_everything(name: str) -> None:
    layer = getattr(layers, name)
    found = sections(layer.__doc__)
    assert [s for s in found if s in SECTIONS] == SECTIONS
    assert list(mask_behavior(name)) == MASK_BEHAVIOR
    assert ">>> " in found["Example"]
    arguments = set(
        re.findall(r"^    (\*{0,2}\w+): ", found["Args"], flags=re.M)
    )
    signature = inspect.signature(layer.__init__).parameters.values()
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


def test_the_readme_has_the_table() -> None:
    readme = (ROOT / "README.md").read_text()
    _, rest = readme.split("<!-- table", 1)
    shown = rest.split("-->\n", 1)[1].split("<!-- end -->")[0].strip()
    assert shown == table(), f"put this into README.md:\n{table()}"


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
