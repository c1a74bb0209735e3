"""The page `docs/export_table.md`, from the record of a run."""

import json
import re
from typing import Any

from tools import DOCS

RECORD = DOCS / "export_table.json"
PAGE = DOCS / "export_table.md"
HEAD = """<!-- Made from a run by `python -m tools.exports`. -->

# Where each layer can be exported

A model around each layer, with a mask for each sequence as an input of its own,
was exported by [`keras_masking.export`](export.md) and compared with `predict`.
✓: the file answers as the model does. *refused*: the converter or the runtime
does not take it. *fails*: the file does not run for some sizes. *wrong*: the
file has other numbers. `export` keeps none but ✓. Alone, `AttachMask` and the
like hand their input on, for which OpenVINO fails with a file from TensorFlow;
in front of other layers they are right.
"""
# A failure, as a cell of the table says it.
WORDS = {
    "ok": "✓",
    "refused": "refused",
    "fails": "fails",
    "differs": "wrong",
    "nothing compared": "not compared",
    "no model": "no model",
}
NAMES = {"tensorflow": "TensorFlow", "torch": "PyTorch", "jax": "JAX"}


def columns(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Each backend and format of the record."""
    return [
        (backend, name)
        for backend in NAMES
        for name in next(iter(record[backend]["rows"].values()), {})
    ]


def said(record: dict[str, Any], column: tuple[str, str], row: str) -> str:
    """What became of a row: `ok`, or the kind of failure and its cause."""
    backend, name = column
    found = record[backend]["rows"].get(row, {}).get(name, "no model: it died")
    return str(found)


def cause(text: str) -> str:
    """The cause in one line, without what changes from run to run."""
    text = " ".join(text.split(": ", 1)[1].split())
    text = re.sub(
        r"(\b[\w.-]*/)+(?=[\w.-]+\.(cpp|h|py)\b)|(/[\w.-]+)+/", "", text
    )
    text = re.sub(r"_\d+\b|\b\d{4,}\b", "", text)
    return f"{text[:160]}..." if len(text) > 160 else text


def table(record: dict[str, Any]) -> str:
    """A row for each layer."""
    every = columns(record)
    heads = [f"{NAMES[backend]} `{name}`" for backend, name in every]
    lines = [
        f"| layer | {' | '.join(heads)} |",
        "|---" * (1 + len(every)) + "|",
    ]
    rows = dict.fromkeys(row for b in NAMES for row in record[b]["rows"])
    for row in rows:
        cells = [
            WORDS[said(record, column, row).split(":")[0]] for column in every
        ]
        shown = row.removeprefix("layers.")
        shown = f"`{shown}`" if shown[0].isupper() else shown
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    return "\n".join(lines)


def causes(record: dict[str, Any]) -> str:
    """What was said of each failure, and of which rows."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for backend, name in columns(record):
        for row in record[backend]["rows"]:
            text = said(record, (backend, name), row)
            if text != "ok":
                key = NAMES[backend], name, cause(text)
                found.setdefault(key, []).append(row)
    lines = ["| from | to | what was said | of |", "|---|---|---|---|"]
    for (backend, name, text), rows in found.items():
        shown = text.replace("|", "\\|").replace("<", "&lt;")
        listed = ", ".join(rows)
        lines.append(f"| {backend} | `{name}` | {shown} | {listed} |")
    return "\n".join(lines)


def versions(record: dict[str, Any]) -> str:
    """The versions that took part, of each backend."""
    lines = []
    for backend, name in NAMES.items():
        numbers = record[backend]["versions"].items()
        listed = ", ".join(f"{key} {value}" for key, value in numbers)
        lines.append(f"- {name}: {listed}")
    return "\n".join(lines)


def page() -> str:
    """The text of the page."""
    record = json.loads(RECORD.read_text("utf-8"))
    parts = [
        HEAD,
        table(record),
        "\n## Why\n",
        causes(record),
        "\n## Versions\n",
        versions(record),
    ]
    return "\n".join(parts) + "\n"


def write_page() -> None:
    """Writes the page."""
    PAGE.write_text(page(), "utf-8")
