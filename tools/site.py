"""A hook of mkdocs: what the site has and the repository has not."""

import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

# mkdocs runs as a command, which does not find what lies beside its settings.
sys.path.insert(0, str(Path(__file__).parents[1]))


def on_files(files: Any, config: Any) -> Any:
    """Adds the scoreboard's reports, made from its records."""
    from tools.scoreboard.archive import html_pages

    for name, text in html_pages().items():
        files.append(File.generated(config, name, content=text))
    return files
