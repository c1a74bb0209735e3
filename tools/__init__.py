"""Generates pages of `docs/`: `python -m tools.make_layers`, and so on."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
