"""The picture of the page is drawn from batches as they are."""

from pathlib import Path

import pytest

from tools import make_batches

pytestmark = pytest.mark.once


def test_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = make_batches.pictures()
    steps = {way: sum(x.size for x in found) for way, found in batches.items()}
    assert steps["packed"] < steps["three buckets"] < steps["padded"] / 1.9
    for found in batches.values():
        assert sum((x > 0).sum() for x in found) == sum(make_batches.LENGTHS)
    monkeypatch.setattr(make_batches, "PATH", tmp_path / "batches.png")
    make_batches.main()
    assert (tmp_path / "batches.png").stat().st_size > 5000
