"""Files that a command writes at the end of its run, tried before it."""

from collections.abc import Iterable
from pathlib import Path


def why_not(path: Path, suffixes: Iterable[str] | None = None) -> str | None:
    """Why `path` cannot be written, in a sentence; None if it can.

    Args:
        path: The file. If it exists, nothing in it changes.
        suffixes: Those that it may end in. Defaults to any.
    """
    if suffixes is not None and path.suffix not in (known := sorted(suffixes)):
        *most, last = known
        return f"{path} must end in {', '.join(most)} or {last}."
    try:
        if not path.parent.is_dir():
            return f"there is no folder {path.parent}."
        if path.is_dir():
            return f"{path} is a folder, not a file."
        there = path.exists()
        path.open("a").close()
        if not there:
            path.unlink(missing_ok=True)  # another process may have, too
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}."
    return None
