"""Shows the sections of our docstrings as mkdocstrings does its own."""

import re
from inspect import cleandoc
from typing import Any

import griffe

# The sections whose entries griffe does not know: name, colon, text.
ENTRIES = "Mask behavior|Keras layer|Keras loss|Keras metric"


class Docstrings(griffe.Extension):
    """Words a docstring as griffe reads it."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = reworded(obj.docstring.value)
            if obj.is_class:  # griffe would look for the type it returns
                obj.docstring.value = re.sub(
                    r"^Returns:\n((?:    .*\n|\n)+)",
                    lambda section: "**Returns:**\n\n" + cleandoc(section[1]) + "\n\n",
                    obj.docstring.value,
                    flags=re.M,
                )


def reworded(text: str) -> str:
    """The docstring `text`, with the names of sections that griffe knows."""
    text = re.sub(r"^Call arguments:$", "Args: Call arguments", text, flags=re.M)
    text = re.sub(
        rf"^(?:{ENTRIES}):\n(?:    .*\n|\n)+", listed, text + "\n", flags=re.M
    )
    return re.sub(r"^Example:\n((?:.*\n)*)", indented, text, flags=re.M)


def listed(section: re.Match) -> str:
    """The entries of a section as a list."""
    return re.sub(
        r"^    ([A-Z][a-z]+(?: [a-z]+)*): ",
        r"    - **\1:** ",
        section[0],
        flags=re.M,
    )


def indented(section: re.Match) -> str:
    """An example as a section of griffe's: it stands at the end."""
    body = re.sub(r"^(?=.)", "    ", section[1], flags=re.M)
    return "Examples:\n" + body.lstrip("\n")
