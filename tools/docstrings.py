"""Converts the sections of our docstrings for mkdocstrings."""

import re
from inspect import cleandoc
from typing import Any

import griffe

# Sections that griffe does not know: entries with a name and a text.
ENTRIES = "Mask behavior|Keras layer|Keras loss|Keras metric"
# The lines of a section.
BODY = r":\n((?:    .*\n|\n)+)"


class Docstrings(griffe.Extension):
    """Rewrites docstrings into a form that griffe reads."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            text = reworded(obj.docstring.value + "\n")
            if obj.is_class:  # griffe would look for the type it returns
                text = re.sub(rf"^Returns{BODY}", returned, text, flags=re.M)
            obj.docstring.value = text


def reworded(text: str) -> str:
    """The docstring `text`, with section names that griffe knows."""
    calls = "Args: Call arguments:"
    text = re.sub(r"^Call arguments:$", calls, text, flags=re.M)
    text = re.sub(rf"^(?:{ENTRIES}){BODY}", listed, text, flags=re.M)
    return re.sub(r"^Example:\n((?:.*\n)*)", shown, text, flags=re.M)


def returned(section: re.Match) -> str:
    """What a call of a layer returns, as text."""
    return f"**Returns:**\n\n{cleandoc(section[1])}\n\n"


def listed(section: re.Match) -> str:
    """The entries of a section as a list."""
    entry = r"^    ([A-Z][a-z]+(?: [a-z]+)*): "
    return re.sub(entry, r"    - **\1:** ", section[0], flags=re.M)


def shown(section: re.Match) -> str:
    """An example as a section of griffe: it is the last one."""
    body = re.sub(r"^(?=.)", "    ", section[1], flags=re.M)
    return "Examples:\n" + body.lstrip("\n")
