"""The notebook of first steps: `python -m tools.notebook` runs it again.

A notebook is JSON, so nothing else is needed to run it, to show it on the site,
and to test it. The output of its cells is stored in it, as Jupyter does.
"""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from tools import ROOT

PATH = ROOT / "examples" / "first_steps.ipynb"


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def stored(cell: dict[str, Any]) -> str:
    """The stored output of a cell."""
    return "".join("".join(output["text"]) for output in cell["outputs"])


def code(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [c for c in notebook["cells"] if c["cell_type"] == "code"]


def run(notebook: dict[str, Any]) -> list[str]:
    """The output of each code cell, in order."""
    space: dict[str, Any] = {"__name__": "__main__"}
    printed = []
    for cell in code(notebook):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(source(cell), space)
        printed.append(out.getvalue())
    return printed


def as_markdown(path: Path) -> str:
    """The notebook as a page of `docs/`."""
    parts = []
    for cell in read(path)["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(source(cell).replace("](../docs/", "]("))
            continue
        parts.append(f"```python\n{source(cell)}\n```")
        if stored(cell):
            parts.append(f"```text\n{stored(cell).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    notebook = read(PATH)
    for cell, text in zip(code(notebook), run(notebook), strict=True):
        stream = {
            "name": "stdout",
            "output_type": "stream",
            "text": text.splitlines(keepends=True),
        }
        cell["outputs"] = [stream] if text else []
    text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    PATH.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
