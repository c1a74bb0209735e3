"""Generates `docs/layers.md` from docstrings: `python -m tools.make_layers`."""

import inspect
import re

from keras_masking import layers
from tools import DOCS

HEAD = """<!-- Made from docstrings by `python -m tools.make_layers`. -->

# The layers

A mask is boolean, `(batch, steps)`, True at a real step. An *empty row* has no
real step. A *window* is the input of one output step of a convolution or a
pooling. Without a mask every step is real, and the output has no mask either,
except for layers that make one. To choose a layer, see
[which layer](which_layer.md).
"""
LINK = "[`{0}`](api/layers.md#keras_masking.layers.{0})"
COLUMNS = ["Reads", "Emits", "Windows", "Empty row", "Padding values"]
KERAS = ["Drops in for", "Differs"]


def sections(text: str) -> dict[str, str]:
    """The parts of a docstring that begin with a name at its margin."""
    parts = re.split(
        r"^([A-Z][a-z]+(?: [a-z]+)?):\n", inspect.cleandoc(text), flags=re.M
    )
    return dict(zip(parts[1::2], parts[2::2]))


def entries(name: str, section: str) -> dict[str, str]:
    """The entries of a section of a layer's docstring, each on one line."""
    found = sections(getattr(layers, name).__doc__).get(section, "")
    parts = re.split(
        r"^([A-Z][a-z]+(?: [a-z]+)*): ", inspect.cleandoc(found), flags=re.M
    )
    return {
        key: " ".join(value.split())
        for key, value in zip(parts[1::2], parts[2::2])
    }


def summary(name: str) -> str:
    """What a layer does, in a sentence."""
    return inspect.cleandoc(getattr(layers, name).__doc__).split("\n")[0]


def overview() -> str:
    """A table: what each layer does, and which Keras layer it replaces."""
    rows = ["| layer | what it does | drops in for |", "|---|---|---|"]
    for name in layers.__all__:
        theirs = entries(name, "Keras layer").get("Drops in for", "")
        theirs = theirs.split(":")[0].rstrip(".")
        shown = LINK.format(name)
        rows.append(f"| {shown} | {summary(name)} | {theirs} |")
    return "\n".join(rows)


def masks() -> str:
    """What each layer does with a mask."""
    head = ["Reads", "Emits", "Empty row"]
    rows = [
        f"| layer | {' | '.join(c.lower() for c in head)} |",
        "|---" * (len(head) + 1) + "|",
    ]
    for name in layers.__all__:
        said = entries(name, "Mask behavior")
        cells = [said[column].rstrip(".") for column in head]
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def windows() -> str:
    """Which output steps are real, for layers that change the steps."""
    rows = ["| layer | real output steps |", "|---|---|"]
    for name in layers.__all__:
        if said := entries(name, "Mask behavior").get("Windows"):
            rows.append(f"| `{name}` | {said.rstrip('.')} |")
    return "\n".join(rows)


def keras() -> str:
    """The Keras layers that our layers replace, and what differs."""
    rows = ["| layer | drops in for | what differs |", "|---|---|---|"]
    for name in layers.__all__:
        if said := entries(name, "Keras layer"):
            cells = [said[column].rstrip(".") for column in KERAS]
            rows.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def page() -> str:
    """The text of the page."""
    return f"""{HEAD}
{overview()}

## Masks

{masks()}

## Which windows are real

{windows()}

## Differences from Keras layers

{keras()}
"""


if __name__ == "__main__":
    (DOCS / "layers.md").write_text(page())
