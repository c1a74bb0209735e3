"""A hook of mkdocs: pages and markup that only the site has."""

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
# mkdocs runs as a command, which does not find modules next to its settings.
sys.path.insert(0, str(ROOT))

from tools.notebook import as_markdown  # noqa: E402
from tools.scoreboard.archive import html_pages  # noqa: E402

NOTEBOOK = ROOT / "examples" / "first_steps.ipynb"


def on_files(files: Any, config: Any) -> Any:
    """Adds the changelog, the notebook, and the reports of the scoreboard."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    made = {
        "changelog.md": changelog.replace("](docs/", "]("),
        "first_steps.md": as_markdown(NOTEBOOK),
        **html_pages(),
    }
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Marks code with prompts, so that it is copied without them."""
    return re.sub(r"^```python\n(?=>>> )", "```pycon\n", markdown, flags=re.M)


def on_page_content(html: str, **_: Any) -> str:
    """Colours the marks of the scoreboard."""
    html = re.sub(r"<td>(?=✓ )", '<td class="keeps">', html)
    return re.sub(r"<td>(?=✗)", '<td class="breaks">', html)
