"""Whether a file can be written is checked before a run, without a trace."""

from pathlib import Path

import pytest

from keras_masking.output_files import why_not

pytestmark = pytest.mark.once

SUFFIXES = (".md", ".html", ".json")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("out.pdf", "out.pdf must end in .html, .json or .md."),
        ("gone/out.md", "there is no folder gone."),
        ("folder.md", "folder.md is a folder, not a file."),
        ("x" * 300 + ".md", "cannot be written: File name too long."),
    ],
)
def test_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.md").mkdir()
    said = why_not(Path(name), SUFFIXES)
    assert said is not None
    assert said == reason or (len(name) > 300 and said.endswith(reason))


def test_what_can_be_written_stays_as_it_was(tmp_path: Path) -> None:
    new, old = tmp_path / "new.json", tmp_path / "old.txt"
    old.write_text("kept")
    assert why_not(new, SUFFIXES) is None and not new.exists()
    assert why_not(old) is None and old.read_text() == "kept"
