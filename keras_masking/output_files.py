"""Checks before a run that output files can be written."""

from collections.abc import Iterable
from pathlib import Path


def why_not(path: Path, suffixes: Iterable[str] | None = None) -> str | None:
    """The reason why `path` cannot be written, or None if it can.

    Args:
        path: The file. An existing file is not changed.
        suffixes: Allowed suffixes. Defaults to any.
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
            path.unlink(missing_ok=True)  # another process may have removed it
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}."
    return None
