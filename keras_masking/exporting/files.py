"""Writes beside the target, and replaces it when all is well."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keras_masking.errors import describe
from keras_masking.output_files import why_not

INSIDE = "saved_model.pb"  # which each SavedModel has


def require_place(path: Path, is_folder: bool) -> None:
    """Raises, before the work, if the result cannot be put there.

    Raises:
        OSError: It says why.
    """
    reason = _why_no_folder(path) if is_folder else why_not(path)
    if reason is not None:
        raise OSError(
            describe(
                "`export`",
                reason if reason.endswith(".") else f"{reason}.",
                "Pass another path.",
                path=path,
            )
        )


def _why_no_folder(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}."
    if path.is_file():
        return f"{path} is a file, and a SavedModel is a folder."
    if path.is_dir() and any(path.iterdir()) and not (path / INSIDE).exists():
        return f"{path} is a folder with other files."
    try:
        tempfile.TemporaryDirectory(dir=path.parent).cleanup()
    except OSError as error:
        return f"{path} cannot be written: {error.strerror}."
    return None


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A path of the same name in a new folder beside, removed at the end."""
    with tempfile.TemporaryDirectory(
        prefix=".keras-masking-", dir=path.parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder, path.name)


def put(made: Path, path: Path) -> None:
    """Moves what was made to its place, with what was written beside it."""
    for other in sorted(made.parent.iterdir()):
        if other != made:  # such as weights, before the file that names them
            _replace(other, path.parent / other.name)
    _replace(made, path)


def _replace(new: Path, old: Path) -> None:
    if not old.is_dir():
        new.replace(old)
        return
    aside = new.with_name(f"{new.name}.old")  # removed with its folder
    old.rename(aside)
    try:
        new.rename(old)
    except OSError:
        aside.rename(old)
        raise
    shutil.rmtree(aside, ignore_errors=True)
